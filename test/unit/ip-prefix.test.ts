import test from 'ava'
import fc from 'fast-check'
import { type Address, type Family, bigintOf, fromBigint } from '../../src/ip/address.ts'
import {
  type Prefix,
  addressOf,
  bitsOf,
  contains,
  lengthOf,
  nth,
  overlaps,
  parseInterfacePrefix,
  parsePrefix,
  prefixFamily,
  prefixOf,
} from '../../src/ip/prefix.ts'

/** First and last address of a prefix as integers, worked out without the code under test. */
function ends(prefix: Prefix): { family: Family; first: bigint; last: bigint } {
  const family: Family = prefix.includes(':') ? 6 : 4
  const [address = '', length = ''] = prefix.split('/')
  const size = 1n << BigInt((family === 4 ? 32 : 128) - Number(length))
  const first = bigintOf(address as Address)
  return { family, first, last: first + size - 1n }
}

const address = (family: Family): fc.Arbitrary<Address> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(bitsOf(family))) - 1n }).map((value) => fromBigint(family, value))

const family = fc.constantFrom<Family>(4, 6)

const prefixes: fc.Arbitrary<Prefix> = family.chain((of) =>
  fc.tuple(address(of), fc.integer({ min: 0, max: bitsOf(of) })).map(([inside, length]) => prefixOf(inside, length)),
)

/** Two prefixes that often have to do with each other. */
const pairs: fc.Arbitrary<readonly [Prefix, Prefix]> = fc.oneof(
  fc.tuple(prefixes, prefixes),
  family.chain((of) =>
    fc
      .tuple(address(of), fc.integer({ min: 0, max: bitsOf(of) }), fc.integer({ min: 0, max: bitsOf(of) }), fc.nat(127))
      .map(([inside, a, b, bit]) => {
        const near = fromBigint(of, bigintOf(inside) ^ (1n << BigInt(bit % bitsOf(of))))
        return [prefixOf(inside, a), prefixOf(near, b)] as const
      }),
  ),
)

test('a prefix begins at a multiple of its size and contains the address it was made of', (t) => {
  fc.assert(
    fc.property(
      family.chain((of) => fc.tuple(address(of), fc.integer({ min: 0, max: bitsOf(of) }))),
      ([inside, length]) => {
        const prefix = prefixOf(inside, length)
        const { first, last } = ends(prefix)
        t.is(first % (last - first + 1n), 0n)
        t.true(first <= bigintOf(inside) && bigintOf(inside) <= last)
        t.true(contains(prefix, inside))
        t.is(lengthOf(prefix), length)
      },
    ),
    { numRuns: 1000 },
  )
})

test('text and prefix are one another', (t) => {
  fc.assert(
    fc.property(prefixes, (prefix) => {
      t.is(parsePrefix(prefix), prefix)
      t.is(prefixOf(addressOf(prefix), lengthOf(prefix)), prefix)
      t.is(prefixFamily(prefix), ends(prefix).family)
      t.deepEqual(parseInterfacePrefix(prefix), { address: addressOf(prefix), length: lengthOf(prefix) })
    }),
  )
})

test('contains and overlaps agree with integers', (t) => {
  let related = 0
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      const [x, y] = [ends(a), ends(b)]
      const same = x.family === y.family
      t.is(contains(a, b), same && x.first <= y.first && y.last <= x.last, `${a} contains ${b}`)
      t.is(overlaps(a, b), same && x.first <= y.last && y.first <= x.last, `${a} overlaps ${b}`)
      t.is(overlaps(a, b), overlaps(b, a))
      t.is(contains(a, addressOf(b)), same && x.first <= y.first && y.first <= x.last)
      if (contains(a, b)) related++
    }),
    { numRuns: 2000 },
  )
  t.true(related > 100, `only ${related} of the pairs had to do with each other`)
})

test('the n-th address is n after the first', (t) => {
  fc.assert(
    fc.property(prefixes, fc.nat(0xffff), (prefix, n) => {
      const { first, last } = ends(prefix)
      if (first + BigInt(n) <= last) t.is(bigintOf(nth(prefix, n)), first + BigInt(n))
    }),
  )
  t.is(nth('10.2.3.0/24' as Prefix, 1), '10.2.3.1' as Address)
})

test('the ends of the range: /0, /32 and /128', (t) => {
  t.is(prefixOf('255.255.255.255' as Address, 0), '0.0.0.0/0' as Prefix)
  t.is(prefixOf('255.255.255.255' as Address, 32), '255.255.255.255/32' as Prefix)
  t.is(prefixOf('ffff::1' as Address, 0), '::/0' as Prefix)
  t.is(prefixOf('ffff::1' as Address, 128), 'ffff::1/128' as Prefix)
  t.false(contains('::/0' as Prefix, '10.0.0.1' as Address))
  t.false(overlaps('0.0.0.0/0' as Prefix, '::/0' as Prefix))
})

test('host bits, missing or malformed lengths and other texts are no prefix', (t) => {
  const bad = [
    '',
    '10.2.3.0',
    '10.2.3.1/24',
    '10.2.3.0/33',
    '10.2.3.0/',
    '/24',
    '10.2.3.0/024',
    '10.2.3.0/ 24',
    '10.2.3.0/-1',
  ]
  bad.push('10.2.3.0/24/24', 'fc00::/129', 'fc00::1/64', '010.2.3.0/24', '10.2.3.0/24 ', '10.2.3.0/2e1', '10.2.3.0-24')
  for (const text of bad) t.is(parsePrefix(text), undefined, text)
})

test('an interface prefix keeps its host bits', (t) => {
  t.deepEqual(parseInterfacePrefix('10.2.3.1/24'), { address: '10.2.3.1' as Address, length: 24 })
  t.deepEqual(parseInterfacePrefix('FC00::1/64'), { address: 'fc00::1' as Address, length: 64 })
})
