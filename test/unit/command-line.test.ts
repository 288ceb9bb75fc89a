// Commands of the extension backend become words; what only a shell understands is left to one.
import test from 'ava'
import { commandOf } from '../../backends/extension/command-line.ts'

const words = (line: string): readonly string[] | undefined => commandOf(line)?.words

test('words, quotes and backslashes are those of sh, without a shell', (t) => {
  t.deepEqual(words('ip route add $SUBNET via $PUBLIC_IP'), ['ip', 'route', 'add', '$SUBNET', 'via', '$PUBLIC_IP'])
  t.deepEqual(words("  a 'b c' \"d ${SUBNET}\"x e\\ f '' "), ['a', 'b c', 'd ${SUBNET}x', 'e f', ''])
  t.true(commandOf('a $SUBNET')?.replaces)
  t.is(commandOf('  '), undefined)
})

test("what only a shell understands is run by one, as Go's flanneld does", (t) => {
  for (const line of [
    'a; b',
    'a && b',
    'a | b',
    'a >b',
    'a `b`',
    'a $(b)',
    'a *',
    "a '$SUBNET'",
    'export A=1',
    'A=1 b',
    'exit 3',
    ': $SUBNET',
    "a 'b",
  ])
    t.deepEqual(commandOf(line), { words: ['sh', '-c', line], replaces: false })
})
