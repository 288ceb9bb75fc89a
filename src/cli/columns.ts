// Rows of words under a heading, each column as wide as its widest word. Pure.

/** The lines, each ending in a newline; the last column is not padded, an empty word stays empty. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((word, i) => Math.max(widest[i] ?? 0, word.length)),
    [],
  )
  return rows
    .map(
      (row) =>
        `${row
          .map((word, i) => word.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
