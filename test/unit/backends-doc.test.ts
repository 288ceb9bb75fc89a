// docs/backends.md has a section for each backend, and the matrix that is tested.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { BACKENDS } from '../../backends/index.ts'
import { BACKENDS_DOC, withMatrix } from '../../scripts/matrix-doc.ts'
import { COLUMNS, nameOf } from '../lab/scenarios/matrix-row.ts'
import { ROWS } from '../lab/scenarios/matrix-rows.ts'

const text = readFileSync(BACKENDS_DOC, 'utf8')

test('the matrix in the document is the one that is tested: run make docs', (t) => {
  t.is(text, withMatrix(text))
})

test('every backend has a section and a line in the table of choices', (t) => {
  for (const { type } of BACKENDS) {
    t.regex(text, new RegExp(`^## ${type}$`, 'm'))
    t.regex(text, new RegExp(`^\\| \`${type}\` \\|`, 'm'))
  }
})

test('every row that takes over has what Go leaves, and every row that is damaged has damages', (t) => {
  for (const row of ROWS) {
    t.true(typeof row.cells.takeover !== 'string' || row.left !== undefined, nameOf(row))
    t.true(typeof row.cells.damage !== 'string' || row.harms.length > 0, nameOf(row))
    t.deepEqual(Object.keys(row.cells).toSorted(), [...COLUMNS].toSorted())
  }
})
