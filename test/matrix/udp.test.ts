// The matrix: udp, fresh, changed to while traffic flows, restarted, damaged.
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import { matrixTests } from '../lab/scenarios/matrix-tests.ts'

for (const row of rowsOf('udp')) matrixTests(row, ['this'])
