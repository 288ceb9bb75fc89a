// The choice of a free subnet: never overlapping, never outside, never none while one is free.
import test from 'ava'
import fc from 'fast-check'
import { bigintOf, fromBigint, parseAddress, type Address } from '../../src/ip/address.ts'
import { overlaps, parsePrefix, prefixOf, type Prefix } from '../../src/ip/prefix.ts'
import { chooseSubnet, fits, sizeOf, type SubnetRange } from '../../src/lease/allocate.ts'

function range(network: string, subnetLen: number, min: string, max: string): SubnetRange {
  const parsed = parsePrefix(network)
  const [subnetMin, subnetMax] = [parseAddress(min), parseAddress(max)]
  if (parsed === undefined || subnetMin === undefined || subnetMax === undefined) throw new Error(network)
  return { network: parsed, subnetLen, subnetMin, subnetMax }
}

function all(within: SubnetRange): Prefix[] {
  const list: Prefix[] = []
  const step = 1n << BigInt((within.subnetMin.includes(':') ? 128 : 32) - within.subnetLen)
  const family = within.subnetMin.includes(':') ? 6 : 4
  for (let at = bigintOf(within.subnetMin); at <= bigintOf(within.subnetMax); at += step)
    list.push(prefixOf(fromBigint(family, at), within.subnetLen))
  return list
}

const SMALL = range('10.2.0.0/24', 28, '10.2.0.32', '10.2.0.224')
const SMALL6 = range('fc00::/60', 64, 'fc00:0:0:1::', 'fc00:0:0:d::')
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

for (const within of [SMALL, SMALL6]) {
  test(`a choice in ${within.network} is inside, overlaps nothing taken, and fails only when all is taken`, (t) => {
    const family = within.subnetMin.includes(':') ? 6 : 4
    const base = bigintOf(within.network.slice(0, within.network.indexOf('/')) as Address)
    const unit = family === 4 ? 1n : 1n << 60n
    // Prefixes of any length in and around the network, larger and smaller than a subnet.
    const taken = fc
      .tuple(
        fc.bigInt({ min: -40n, max: 300n }),
        fc.integer({ min: family === 4 ? 24 : 60, max: family === 4 ? 32 : 68 }),
      )
      .map(([offset, length]) => prefixOf(fromBigint(family, base + offset * unit), length))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(taken, fc.constantFrom(...all(within))), { maxLength: 30 }),
        random,
        (list, number) => {
          const chosen = chooseSubnet(within, list, () => number)
          const free = all(within).filter((subnet) => !list.some((prefix) => overlaps(prefix, subnet)))
          if (free.length === 0) t.is(chosen, undefined)
          else t.true(chosen !== undefined && free.includes(chosen))
        },
      ),
      { numRuns: 1_000 },
    )
  })
}

test('every free subnet can be chosen, and all are when they are taken one after the other', (t) => {
  const taken: Prefix[] = []
  for (;;) {
    const chosen = chooseSubnet(SMALL, taken, Math.random)
    if (chosen === undefined) break
    taken.push(chosen)
  }
  t.deepEqual(taken.toSorted(), all(SMALL).toSorted())
})

test('the choice is spread over the full range', (t) => {
  const counts = new Map<Prefix, number>()
  for (let i = 0; i < 1_300; i++) {
    const chosen = chooseSubnet(SMALL, [], () => i / 1_300)
    if (chosen !== undefined) counts.set(chosen, (counts.get(chosen) ?? 0) + 1)
  }
  t.is(counts.size, 13)
  for (const count of counts.values()) t.true(Math.abs(count - 100) <= 1, `${count} of 1300`)
})

test('a range of 2^64 subnets costs no list of them', (t) => {
  const huge = range('fc00::/16', 80, 'fc00:0:0:0:1::', 'fc00:ffff:ffff:ffff:ffff::')
  t.is(sizeOf(huge), (1n << 64n) - 1n)
  const chosen = chooseSubnet(huge, [], () => 0.999999)
  t.true(chosen !== undefined && fits(huge, chosen))
})

test('a subnet fits when it has the length and lies between min and max', (t) => {
  const fitting = (text: string): boolean => fits(SMALL, text as Prefix)
  t.true(fitting('10.2.0.32/28'))
  t.true(fitting('10.2.0.224/28'))
  for (const text of ['10.2.0.16/28', '10.2.0.240/28', '10.2.0.32/29', '10.2.0.32/27', 'fc00::/28'])
    t.false(fitting(text), text)
})
