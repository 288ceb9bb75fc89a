// Invisible characters, and those that only look like the intended ones: they come with copied text and edited files. For messages.

const NAMES: Readonly<Record<string, string>> = {
  '\u00a0': 'a no-break space',
  '\u200b': 'a zero width space',
  '\ufeff': 'a byte order mark',
  '\r': 'a carriage return, as Windows ends lines',
  '\n': 'a line break',
  '\t': 'a tab',
}

/** Controls, formats (bidirectional and zero-width ones among them), line separators and all spaces but the plain one. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u
/** What word processors make of quotes and of minus signs. */
const TYPESET = /[\u2018-\u201f\u2039\u203a\u00ab\u00bb\u2010-\u2015\u2212]/u

/** The first invisible character of a text, in words; undefined when there is none. */
export function invisibleIn(text: string): string | undefined {
  const found = INVISIBLE.exec(text)
  if (found === null) return undefined
  const [character] = found
  const name = NAMES[character] === undefined ? '' : ` (${NAMES[character]})`
  return `an invisible character at position ${found.index + 1}: ${codeOf(character)}${name}`
}

/** The first typeset quote or dash of a text, in words; undefined when there is none. */
export function typesetIn(text: string): string | undefined {
  const [character] = TYPESET.exec(text) ?? []
  return character === undefined ? undefined : `${character} is ${codeOf(character)}, as word processors set it`
}

/** What is wrong with the text of an option that a shell, systemd or Docker handed over; undefined when nothing is. */
export function oddityIn(text: string): string | undefined {
  const invisible = invisibleIn(text)
  if (invisible !== undefined) return `has ${invisible}: take it out`
  const quote = /^["'\u2018-\u201f\u00ab]/.exec(text)?.[0]
  if (quote === undefined) return undefined
  return `begins with the quote ${quote}: it is part of the value here: env files of Docker and variables of units take none`
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
