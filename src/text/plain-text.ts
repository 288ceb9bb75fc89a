// Text that others wrote, made fit for a log line, a table or a page: one line, cut to a length, read from left to right, and
// with nothing in it that cannot be seen. Pure and total.
// Invariants: printable text stays as it is, so cleaning twice changes nothing; the work is bounded by the length kept.

/** The longest line that is kept, in UTF-16 units. */
export const MOST_LINE = 4096

/** Marks on top of one letter: no script needs more, a flood of them paints over the lines above. */
const MOST_MARKS = 2

/** Characters that end a line, steer a terminal, or separate words. */
const BLANK = /\p{Cc}+|[\p{Zl}\p{Zp}\p{Zs}]/gu

/**
 * Characters that cannot be seen, or that reorder what stands next to them: format characters (bidirectional marks and
 * zero-width ones among them), lone surrogates, what is private or not assigned, and scripts written from right to left.
 */
const HIDDEN =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/gu

const FLOOD = new RegExp(`(\\p{M}{${MOST_MARKS}})\\p{M}+`, 'gu')

/** ASCII as it is printed: nearly every text. */
const PLAIN = /^[ -~]*$/

/** One line of at most `most` UTF-16 units: control characters become spaces, hidden ones are written as `\u202e`. */
export function printable(text: string, most = MOST_LINE): string {
  const kept = cut(text, most)
  if (PLAIN.test(kept)) return kept.trimEnd()
  return cut(visible(kept.replace(BLANK, ' ')), most).trimEnd()
}

/** A text of several lines, each printable. */
export function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n')
}

/** Text with hidden characters written as `\u202e`, and no more marks on a letter than a script needs. */
export function visible(text: string): string {
  return text.replace(FLOOD, '$1').replace(HIDDEN, escaped)
}

/** Text of at most `most` UTF-16 units; one that was longer ends in dots. No character is cut in two. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const end = Math.max(0, most - 3)
  const splits = /[\ud800-\udbff]/.test(text.charAt(end - 1)) && /[\udc00-\udfff]/.test(text.charAt(end))
  return `${text.slice(0, splits ? end - 1 : end)}...`.slice(0, most)
}

/** How many places of a terminal a printable text takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const character of text) width += /[\p{Mn}\p{Me}]/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** Characters that take two places: East Asian ones and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}
