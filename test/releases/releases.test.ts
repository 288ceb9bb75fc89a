// The kernels of Debian 11, 13 and 14: vxlan in both families, restarted while traffic flows; the other files run on Debian 12's.
// The oldest has the changes of backend and the repairs as well: it is where the kernel would lack something.
import type { Column, Row } from '../lab/scenarios/matrix-row.ts'
import { rowsOf } from '../lab/scenarios/matrix-rows.ts'
import { matrixTests } from '../lab/scenarios/matrix-tests.ts'
import type { Kernel } from '../lab/world/kernel.ts'

/** Tests these cells alone of a backend in both families. */
function testOn(kernel: Kernel, type: string, ...columns: readonly Column[]): void {
  const cell = (column: Column): Kernel | { why: string } =>
    columns.includes(column) ? kernel : { why: 'other files test it' }
  const cells: Row['cells'] = {
    fresh: cell('fresh'),
    takeover: cell('takeover'),
    restart: cell('restart'),
    damage: cell('damage'),
    'live change': cell('live change'),
  }
  for (const row of rowsOf(type)) if (row.families.length === 2) matrixTests({ ...row, cells }, [kernel])
}

testOn('bullseye', 'vxlan', 'fresh', 'damage', 'restart')
testOn('bullseye', 'host-gw', 'live change')
testOn('trixie', 'vxlan', 'fresh', 'restart')
testOn('sid', 'vxlan', 'fresh', 'restart')
