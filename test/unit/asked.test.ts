// The arguments of a verb: the daemon's flags, its own, and its words, in any order; and what makes no sense.
import test from 'ava'
import { askedOf } from '../../src/cli/asked.ts'
import { OperatorError } from '../../src/errors.ts'
import { UsageError } from '../../src/options/go-flags.ts'

const SHAPE = { flags: { watch: 'boolean', count: 'value' }, words: [0, 2] } as const

test('flags of the daemon and of the verb, and words, in any order and with one dash or two', (t) => {
  const args = ['10.2.3.0/24', '--json', '-etcd-prefix', '/n', '-watch=true', 'x', '--count=3', '-count', '4']
  const asked = askedOf('ping', args, { FLANNELD_SUBNET_FILE: '/run/s.env' }, SHAPE)
  if (asked === 'help') return t.fail()
  t.deepEqual(asked.words, ['10.2.3.0/24', 'x'])
  t.deepEqual([asked.json, asked.has('watch'), asked.value('count')], [true, true, '4'])
  t.like(asked.options, { etcdPrefix: '/n', subnetFile: '/run/s.env' })
  t.is(asked.value('etcd-prefix'), '/n', 'and whether the daemon’s were given')
  t.is(asked.value('etcd-endpoints'), undefined)
})

test('repeated flags of the daemon all count', (t) => {
  const asked = askedOf('status', ['-iface=a', '-iface', 'b'], {})
  t.deepEqual(asked === 'help' ? undefined : asked.options.iface, ['a', 'b'])
})

test('-help is help, whatever else is there', (t) => {
  for (const flag of ['-h', '--help', '-help']) t.is(askedOf('status', ['-json', flag], {}), 'help')
})

test('what makes no sense is refused by name', (t) => {
  const refuse = (args: readonly string[], message: RegExp): unknown =>
    t.throws(() => askedOf('ping', args, {}, { ...SHAPE, words: [1, 1] }), { instanceOf: UsageError, message })
  refuse([], /ping: something is missing/)
  refuse(['a', 'b'], /ping: "b": one word too many/)
  refuse(['a', '-jsno'], /-jsno: not defined.*-json/)
  refuse(['a', '-count'], /-count: needs a value/)
  refuse(['a', '-version'], /-version/)
  t.throws(() => askedOf('status', ['-etcd-endpoints=x y'], {}), {
    instanceOf: OperatorError,
    message: /etcd-endpoints/,
  })
})
