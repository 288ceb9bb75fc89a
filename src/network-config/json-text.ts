// Finds where a text stops being JSON, and where a value is: an operator who has just typed the text needs "line 3, column 5".
// JSON.parse decides what is JSON. jsonc-parser also accepts comments and trailing commas unless STRICT.
import { type Node, parseTree, visit } from 'jsonc-parser'

/** A place in a text; both count from 1. */
export interface TextPlace {
  readonly line: number
  readonly column: number
}

/** What is wrong in a text, and what was expected there. */
export interface JsonFault extends TextPlace {
  readonly expected: string
  /** The text from there on, to the end of the line; empty at the end of the text. */
  readonly found: string
}

const STRICT = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false }

/** The first fault of a text; undefined when none is found: it is JSON, or nested deeper than the stack is. */
export function findJsonFault(text: string): JsonFault | undefined {
  let fault: JsonFault | undefined
  // Closing brackets that are missing so far, innermost last, and what the grammar allows next. jsonc-parser's own codes do not
  // say the latter: a wrong character is an "invalid symbol" in any place.
  const open: ('}' | ']')[] = []
  let expected = 'a value'
  const valueEnds = (): void => {
    const inside = open.at(-1)
    expected = inside === undefined ? 'the end of the text' : `"," or "${inside}"`
  }
  const bracketEnds = (offset: number): void => {
    // The end is also reported where the text ends instead.
    if (offset >= text.length) return
    open.pop()
    valueEnds()
  }
  withinStack(() => {
    visit(
      text,
      {
        onObjectBegin: () => {
          open.push('}')
          expected = 'a key in double quotes'
        },
        onObjectProperty: () => (expected = '":"'),
        onObjectEnd: bracketEnds,
        onArrayBegin: () => {
          open.push(']')
          expected = 'a value'
        },
        onArrayEnd: bracketEnds,
        onLiteralValue: valueEnds,
        onSeparator: (character) =>
          (expected = character === ',' && open.at(-1) === '}' ? 'a key in double quotes' : 'a value'),
        onError: (_code, offset, _length, line, column) =>
          (fault ??= {
            line: line + 1,
            column: column + 1,
            expected,
            found: /^[^\r\n]*/.exec(text.slice(offset))?.[0] ?? '',
          }),
      },
      STRICT,
    )
  })
  return fault
}

/** Where the value under a path of keys is, which are found in any case; undefined when there is none. `text` is JSON. */
export function placeOf(text: string, path: readonly string[]): TextPlace | undefined {
  let node: Node | undefined = withinStack(() => parseTree(text))
  for (const key of path) {
    // Of keys that differ in case alone the last one counts.
    const property: Node | undefined = node?.children?.findLast(
      ({ type, children: [name] = [] }) =>
        type === 'property' && String(name?.value).toLowerCase() === key.toLowerCase(),
    )
    node = property?.children?.[1]
  }
  if (node === undefined) return undefined
  const lines = text.slice(0, node.offset).split('\n')
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 }
}

/** jsonc-parser recurses, which a text of brackets alone can abuse. */
function withinStack<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
