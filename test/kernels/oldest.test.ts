// The oldest kernel that is tried, 5.10 of Debian 11: vxlan in both families works there as well. test/releases has more of it.
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import { matrixTests } from '../lab/scenarios/matrix-tests.ts'

const elsewhere = { why: 'test/releases has it' }

for (const row of rowsOf('vxlan')) {
  const cells = { takeover: elsewhere, restart: elsewhere, damage: elsewhere, 'live change': elsewhere }
  if (row.families.length === 2) matrixTests({ ...row, cells: { ...cells, fresh: 'bullseye' } }, ['bullseye'])
}
