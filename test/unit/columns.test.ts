// Tables on a terminal.
import test from 'ava'
import { columns } from '../../src/text/columns.ts'

test('each column is as wide as its widest word, and no line ends in spaces', (t) => {
  const rows = [
    ['SUBNET', 'NOTE', 'END'],
    ['10.2.3.0/24', '', ''],
    ['-', 'a longer one', 'x'],
  ]
  t.is(columns(rows), 'SUBNET       NOTE          END\n10.2.3.0/24\n-            a longer one  x\n')
  t.is(columns([]), '')
})
