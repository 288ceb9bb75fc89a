import { isIP, isIPv4 } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import {
  type Address,
  type Family,
  bigintOf,
  familyOf,
  fromBigint,
  fromBytes,
  fromNumber,
  isUnicast,
  numberOf,
  parseAddress,
  toBytes,
} from '../../src/ip/address.ts'

const MAX: Readonly<Record<Family, bigint>> = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n }

/** Any value of a family, the ends and sparse ones (many zero groups) among them. */
const value = (family: Family): fc.Arbitrary<bigint> => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  const sparse = groups.map((list) => list.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) & MAX[family])
  return fc.oneof(fc.bigInt({ min: 0n, max: MAX[family] }), sparse, fc.constantFrom(0n, 1n, MAX[family]))
}

const any = fc.constantFrom<Family>(4, 6).chain((family) => value(family).map((number) => ({ family, number })))

test('integer, bytes and text of an address are one another', (t) => {
  fc.assert(
    fc.property(any, ({ family, number }) => {
      const address = fromBigint(family, number)
      t.is(familyOf(address), family)
      t.is(bigintOf(address), number)
      t.is(fromBytes(toBytes(address)), address)
      t.is(toBytes(address).length, family === 4 ? 4 : 16)
      t.is(isIP(address), family)
    }),
    { numRuns: 1000 },
  )
})

test('IPv4 numbers are unsigned', (t) => {
  fc.assert(fc.property(fc.nat(0xffffffff), (number) => numberOf(fromNumber(number)) === number))
  t.is(numberOf('255.255.255.255'), 0xffffffff)
  t.is(fromNumber(0x0a000001), '10.0.0.1' as Address)
})

test('IPv6 is printed as RFC 5952 says, which is how a URL prints it', (t) => {
  fc.assert(
    fc.property(value(6), (number) => {
      const address = fromBigint(6, number)
      t.is(`[${address}]`, new URL(`http://[${address}]`).hostname)
    }),
    { numRuns: 1000 },
  )
  for (const [text, canonical] of [
    ['FC00:0:0:0:0:0:0:1', 'fc00::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0010::', '10::'],
  ] as const) {
    t.is(parseAddress(text), canonical as Address)
  }
})

test('whatever text is parsed comes out canonical: parsing it again changes nothing', (t) => {
  const piece = fc.constantFrom(
    '0',
    '00',
    '1',
    '10',
    '255',
    '256',
    'ffff',
    'FF',
    '.',
    '.',
    ':',
    '::',
    '%',
    '/',
    ' ',
    '-',
  )
  const text = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (source) => {
      const address = parseAddress(source)
      if (address === undefined) {
        t.false(isIPv4(source))
      } else {
        t.true(isIP(source) !== 0, source)
        t.is(parseAddress(address), address)
      }
    }),
    { numRuns: 2000 },
  )
})

test('leading zeros, zones, IPv4 inside IPv6, prefixes and blanks are refused, as in Go', (t) => {
  const bad = ['', '010.0.0.1', '10.0.0.01', '10.0.0', '10.0.0.256', '10.0.0.1.1', '10.0.0.1 ', ' ::1', 'fe80::1%eth0']
  bad.push(
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '[::1]',
    '::00001',
    '1:2:3:4::5:6:7:8',
    '10.0.0.1/24',
    '::/0',
    '1::2::3',
    ':',
    '1.2.3.4\n',
  )
  for (const text of bad) t.is(parseAddress(text), undefined, text)
})

test('bytes of any other count are a programming error', (t) => {
  for (const count of [0, 3, 5, 15, 17]) t.throws(() => fromBytes(new Uint8Array(count)), { instanceOf: TypeError })
})

test('zero, loopback, multicast, broadcast and class E are no host addresses, neither is link-local IPv6', (t) => {
  const never = [
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '127.255.0.1',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
  ]
  never.push('::', '::1', 'fe80::1', 'febf::1', 'ff02::1')
  for (const text of never) t.false(isUnicast(text as Address), text)
  const fine = [
    '1.0.0.1',
    '10.0.0.1',
    '126.1.1.1',
    '128.0.0.1',
    '169.254.1.1',
    '223.255.255.254',
    '2001:db8::1',
    'fc00::1',
  ]
  // The first group of these is 00ff and 0fe8.
  fine.push('ff::1', 'fe8::1', 'fec0::1')
  for (const text of fine) t.true(isUnicast(text as Address), text)
})
