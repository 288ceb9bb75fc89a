// Rows of words under a heading, each column as wide as its widest word. Pure.
import { printable, widthOf } from './plain-text.ts'

/** A word that others wrote may be as wide as this. */
const MOST_WIDTH = 240

/** The lines, each ending in a newline; the last column is not padded, an empty word stays empty. */
export function columns(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((word) => printable(word, MOST_WIDTH)))
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((word, i) => Math.max(widest[i] ?? 0, widthOf(word))),
    [],
  )
  return rows
    .map(
      (row) =>
        `${row
          .map((word, i) => word + ' '.repeat((widths[i] ?? 0) - widthOf(word)))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
