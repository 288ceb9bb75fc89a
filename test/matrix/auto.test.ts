// The matrix: auto in every family, fresh, taken over from Go's flanneld, changed to while traffic flows, restarted, damaged.
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import { matrixTests } from '../lab/scenarios/matrix-tests.ts'

for (const row of rowsOf('auto')) matrixTests(row, ['this'])
