// Rows of words under a heading, each column as wide as its widest word. Pure.
import { widthOf } from '../plain-text.ts'

/** The lines, each ending in a newline; the last column is not padded, an empty word stays empty. */
export function columns(rows: readonly (readonly string[])[]): string {
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
