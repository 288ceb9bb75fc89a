// Writes the matrix of backends and families into docs/backends.md, from the rows that test/matrix tests.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COLUMNS, type Explanation, type Kernel, nameOf } from '../test/lab/scenarios/matrix-row.ts'
import { ROWS } from '../test/lab/scenarios/matrix-rows.ts'

export const BACKENDS_DOC = join(import.meta.dirname, '../docs/backends.md')

const BEGIN = '<!-- matrix: written by make docs -->\n'
const END = '<!-- end of matrix -->'

/** The text with its table brought up to date. */
export function withMatrix(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`${BACKENDS_DOC}: the marks of the matrix are missing`)
  return `${text.slice(0, begin + BEGIN.length)}\n${matrix()}\n${text.slice(end)}`
}

function matrix(): string {
  const notes: string[] = []
  const cell = (value: Kernel | Explanation): string => {
    if (typeof value === 'string') return value === 'this' ? 'yes' : `yes, ${value}`
    if (!notes.includes(value.why)) notes.push(value.why)
    return `no: ${notes.indexOf(value.why) + 1}`
  }
  const lines = ROWS.map(
    (row) => `| ${[nameOf(row), ...COLUMNS.map((column) => cell(row.cells[column]))].join(' | ')} |`,
  )
  return [
    `| ${['Backend and families', ...COLUMNS].join(' | ')} |`,
    `|${' --- |'.repeat(COLUMNS.length + 1)}`,
    ...lines,
    '',
    ...notes.map((note, at) => `${at + 1}. ${note}.`),
    '',
  ].join('\n')
}

if (import.meta.main) writeFileSync(BACKENDS_DOC, withMatrix(readFileSync(BACKENDS_DOC, 'utf8')))
