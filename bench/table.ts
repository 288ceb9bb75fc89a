// Figures as a table to read: in a terminal, and in docs/performance.md between two marks.
import { type Figure, goalText, number, ratioOf, verdict, withUnit } from './figure.ts'

const HEAD = ['what', 'at', 'measured', 'limit', 'ratio', 'goal', '']
const BEGIN = '<!-- figures: written by make bench -->'
const END = '<!-- end of figures -->'

/** Columns padded with blanks. */
export function textTable(figures: readonly Figure[]): string {
  const rows = [HEAD, ...figures.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The text with the table between the marks replaced; as it was where there are none. */
export function withFigures(text: string, figures: readonly Figure[], machine: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) return text
  const rows = figures.map((figure) => `| ${cells(figure).join(' | ')} |`)
  const table = [`| ${HEAD.join(' | ')} |`, `|${' --- |'.repeat(HEAD.length)}`, ...rows].join('\n')
  return `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${machine}\n\n${text.slice(end)}`
}

function cells(figure: Figure): readonly string[] {
  const { what, at, measured, unit, limit } = figure
  const ratio = ratioOf(figure)
  return [
    what,
    at,
    withUnit(measured, unit),
    limit === undefined ? '' : withUnit(limit, unit),
    ratio === undefined ? '' : number(ratio),
    goalText(figure),
    verdict(figure),
  ]
}
