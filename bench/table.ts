// Figures as a table to read: in a terminal, and in docs/performance.md between two marks.
import { type Figure, goalText, number, ratioOf, verdict, withUnit } from './figure.ts'

const HEAD = ['what', 'at', 'measured', 'limit', 'ratio', 'goal', '']
/** Where tables go in documents. */
const FIGURES = ['<!-- figures: written by make bench -->', '<!-- end of figures -->'] as const
const COSTS = ['<!-- costs: written by make bench -->', '<!-- end of costs -->'] as const

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
  return between(text, FIGURES, markdown(HEAD, figures.map(cells)), machine)
}

/** The text with the costs of each backend between the marks replaced: a row a backend, a column a figure. */
export function withCosts(text: string, figures: readonly Figure[], machine: string): string {
  const [columns, names] = [[...new Set(figures.map(({ what }) => what))], [...new Set(figures.map(({ at }) => at))]]
  const cell = (name: string, column: string): string => {
    const figure = figures.find(({ at, what }) => at === name && what === column)
    if (figure === undefined) return ''
    const ratio = ratioOf(figure)
    return `${withUnit(figure.measured, figure.unit)}${ratio === undefined ? '' : ` (${number(ratio)} x)`}`
  }
  const rows = names.map((name) => [name, ...columns.map((column) => cell(name, column))])
  return between(text, COSTS, markdown(['Backend', ...columns], rows), machine)
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = rows.map((row) => `| ${row.join(' | ')} |`)
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...lines].join('\n')
}

function between(text: string, [begin, end]: readonly [string, string], table: string, machine: string): string {
  const [first, last] = [text.indexOf(begin), text.indexOf(end)]
  if (first < 0 || last < first) return text
  return `${text.slice(0, first)}${begin}\n\n${table}\n\n${machine}\n\n${text.slice(last)}`
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
