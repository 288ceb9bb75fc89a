// The matrix: the backends that this machine's kernel may lack, under other kernels.
import { KERNELS } from '../lab/world/kernel.ts'
import { ROWS } from '../lab/scenarios/matrix-rows.ts'
import { matrixTests } from '../lab/scenarios/matrix-tests.ts'

for (const row of ROWS) matrixTests(row, KERNELS)
