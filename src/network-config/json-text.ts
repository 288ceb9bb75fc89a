// Where a text stops being JSON (RFC 8259): JSON.parse does not say so reliably, and "line 3, column 5" is what an
// operator who has just typed the text needs. Reads the grammar only, builds nothing.

const SPACE = /[ \t\r\n]*/y
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** What stands wrong in a text: 1-based line and column, and what was expected there. */
export interface JsonFault {
  readonly line: number
  readonly column: number
  readonly expected: string
  /** The text from there on, to the end of the line; empty at the end of the text. */
  readonly found: string
}

/** The first fault of a text, or undefined when it is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const wrong = scan(text)
  if (wrong === undefined) return undefined
  const before = text.slice(0, wrong.at).split('\n')
  const found = /^[^\r\n]*/.exec(text.slice(wrong.at))?.[0] ?? ''
  return { line: before.length, column: (before.at(-1) ?? '').length + 1, expected: wrong.expected, found }
}

function scan(text: string): { readonly at: number; readonly expected: string } | undefined {
  let at = 0
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  const punctuation = (character: string): boolean => {
    take(SPACE)
    if (text[at] !== character) return false
    at++
    return true
  }
  // Closing brackets still owed, innermost last: no recursion, so that depth costs no stack.
  const open: ('}' | ']')[] = []
  let expects: 'value' | 'end' = 'value'
  for (;;) {
    take(SPACE)
    if (expects === 'value') {
      const inside = open.at(-1)
      if (inside === '}') {
        if (!take(STRING)) return { at, expected: 'a key in double quotes' }
        if (!punctuation(':')) return { at, expected: '":"' }
        take(SPACE)
      }
      if (punctuation('{')) {
        if (!punctuation('}')) {
          open.push('}')
          continue
        }
      } else if (punctuation('[')) {
        if (!punctuation(']')) {
          open.push(']')
          continue
        }
      } else if (!take(STRING) && !take(SCALAR)) {
        return { at, expected: 'a value' }
      }
      expects = 'end'
      continue
    }
    const inside = open.at(-1)
    if (inside === undefined) return at === text.length ? undefined : { at, expected: 'the end of the text' }
    if (punctuation(',')) expects = 'value'
    else if (punctuation(inside)) open.pop()
    else return { at, expected: `"," or "${inside}"` }
  }
}
