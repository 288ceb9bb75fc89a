import test from 'ava'
import fc from 'fast-check'
import { UsageError, parseGoBoolean, parseGoFlags, parseGoInteger } from '../../src/options/go-flags.ts'
import { compileGoRegex } from '../../src/options/go-regex.ts'
import { editDistance, nearest } from '../../src/text/did-you-mean.ts'

const KINDS = new Map<string, 'boolean' | 'value'>([
  ['iface', 'value'],
  ['ip-masq', 'boolean'],
  ['v', 'value'],
])

function values(...argv: string[]): Record<string, readonly string[]> {
  return Object.fromEntries(parseGoFlags(argv, KINDS).values)
}

test('a flag is written with one dash or two, its value after = or in the next word', (t) => {
  for (const argv of [['-iface', 'eth0'], ['-iface=eth0'], ['--iface', 'eth0'], ['--iface=eth0']]) {
    t.deepEqual(values(...argv), { iface: ['eth0'] })
  }
})

test('a value may contain =, start with a dash, or be empty', (t) => {
  t.deepEqual(values('-iface=a=b', '-iface', '-w', '-iface='), { iface: ['a=b', '-w', ''] })
})

test('a boolean is bare or has its value after =, never in the next word', (t) => {
  t.deepEqual(values('-ip-masq'), { 'ip-masq': ['true'] })
  t.deepEqual(values('-ip-masq=false'), { 'ip-masq': ['false'] })
  t.deepEqual(parseGoFlags(['-ip-masq', 'false'], KINDS).rest, ['false'])
})

test('parsing stops at the first word that is no flag, and at --', (t) => {
  const stopped = parseGoFlags(['-v', '1', 'status', '-v=2'], KINDS)
  t.deepEqual(
    [Object.fromEntries(stopped.values), stopped.consumed, stopped.rest],
    [{ v: ['1'] }, 2, ['status', '-v=2']],
  )
  t.deepEqual(parseGoFlags(['-v=1', '--', '-iface'], KINDS).rest, ['-iface'])
  t.deepEqual(parseGoFlags(['-'], KINDS).rest, ['-'])
})

test('an unknown flag is refused with the nearest known one', (t) => {
  const refused = t.throws(() => values('-ip-mask'), { instanceOf: UsageError })
  t.is(refused.message, 'flag: -ip-mask: not defined, did you mean -ip-masq?')
  t.is(t.throws(() => values('-kitchen-sink')).message, 'flag: -kitchen-sink: not defined')
})

test('a flag without its value and a malformed flag are refused', (t) => {
  t.is(t.throws(() => values('-v')).message, 'flag: -v: needs a value')
  t.is(t.throws(() => values('-iface', '-v=1')).message, 'flag: -iface: needs a value, but -v follows')
  for (const word of ['---v', '-=1', '--=1']) t.throws(() => values(word), { message: /bad syntax/ })
})

test('a malformed flag is repeated without its value, which may be a password', (t) => {
  t.false(t.throws(() => values('---etcd-password=hunter2')).message.includes('hunter2'))
})

test('whatever pairs are written, in whatever form, the same are read', (t) => {
  const pair = fc.record({ dashes: fc.constantFrom('-', '--'), inline: fc.boolean(), value: fc.string() })
  fc.assert(
    fc.property(fc.array(pair), (pairs) => {
      const argv = pairs.flatMap(({ dashes, inline, value }) =>
        inline ? [`${dashes}iface=${value}`] : [`${dashes}iface`, value],
      )
      const read = parseGoFlags(argv, KINDS)
      t.deepEqual(
        read.values.get('iface') ?? [],
        pairs.map(({ value }) => value),
      )
      t.is(read.consumed, argv.length)
    }),
  )
})

test('any command line is read or refused by UsageError, and no word is lost', (t) => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--', '-', '-v', '-ip-masq', '--iface=x', '-ip-masq=', '=', '-v=='),
  )
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      try {
        const { consumed, rest } = parseGoFlags(argv, KINDS)
        t.true(
          consumed + rest.length === argv.length ||
            (argv[consumed] === '--' && consumed + 1 + rest.length === argv.length),
        )
      } catch (error) {
        t.true(error instanceof UsageError)
      }
    }),
  )
})

test("booleans are those of Go's strconv.ParseBool", (t) => {
  for (const text of ['1', 't', 'T', 'true', 'TRUE', 'True']) t.is(parseGoBoolean(text), true)
  for (const text of ['0', 'f', 'F', 'false', 'FALSE', 'False']) t.is(parseGoBoolean(text), false)
  for (const text of ['', 'yes', 'no', 'tRUE', '2', ' true']) t.is(parseGoBoolean(text), undefined)
})

test('integers are decimal or 0x; a leading zero, octal in Go, is refused', (t) => {
  t.deepEqual(['0', '7', '-7', '+7', '0x1F', '-0x10'].map(parseGoInteger), [0, 7, -7, 7, 31, -16])
  for (const text of ['', '010', '1.0', '1e3', ' 1', '1_000', '9007199254740993', 'x'])
    t.is(parseGoInteger(text), undefined)
})

test("regular expressions in Go's syntax mean here what they mean there", (t) => {
  const cases: [string, string, boolean][] = [
    ['^eth[0-9]$', 'eth0', true],
    ['(?i)^ETH', 'eth0', true],
    ['^ETH', 'eth0', false],
    ['\\Aeth', 'eth0', true],
    ['\\Aeth', 'Aeth0', false],
    ['eth0\\z', 'eth0', true],
    ['eth\\z', 'eth0', false],
    ['^[[:alpha:]]+[[:digit:]]$', 'eth0', true],
    ['^[^[:digit:]]+$', 'eth0', false],
    ['^(?P<kind>eth|en)', 'enp0s3', true],
    ['^10\\.2\\.', '10.2.0.1', true],
    ['^10\\.2\\.', '10x2.0.1', false],
  ]
  for (const [regex, text, matches] of cases) t.is(compileGoRegex(regex).test(text), matches, `${regex} on ${text}`)
  for (const bad of ['(', '[', '*', 'a**']) t.throws(() => compileGoRegex(bad), { instanceOf: SyntaxError })
})

test('the nearest word is found regardless of case, and none when nothing is near', (t) => {
  const words = ['Network', 'SubnetLen', 'SubnetMin', 'SubnetMax', 'Backend']
  t.is(nearest('netwrok', words), 'Network')
  t.is(nearest('SUBNETLENGTH', words), 'SubnetLen')
  t.is(nearest('subnetmx', words), 'SubnetMax')
  t.is(nearest('Colour', words), undefined)
  t.is(nearest('', words), undefined)
})

test('edit distance is a symmetric count that is zero for equal texts only', (t) => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b)
      t.is(distance, editDistance(b, a))
      t.is(distance === 0, a === b)
      t.true(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length))
    }),
  )
  t.is(editDistance('netwrok', 'network'), 1)
})
