import test from 'ava'
import fc from 'fast-check'
import { ConfigError } from '../../src/errors.ts'
import { bigintOf, fromNumber } from '../../src/ip/address.ts'
import { addressOf, contains, lengthOf, prefixOf } from '../../src/ip/prefix.ts'
import { type NetworkConfig, parseNetworkConfig } from '../../src/network-config/parse.ts'

function parse(config: unknown): NetworkConfig {
  return parseNetworkConfig(JSON.stringify(config)).config
}

const VXLAN = { Type: 'vxlan' }

test('any accepted range is aligned, inside its network, in order, and holds room for hosts', (t) => {
  const anyConfig = fc.record(
    {
      address: fc.nat(0xffffffff).map(fromNumber),
      length: fc.integer({ min: 0, max: 32 }),
      SubnetLen: fc.option(fc.integer({ min: 0, max: 33 }), { nil: undefined }),
      min: fc.option(fc.nat(1 << 10), { nil: undefined }),
      max: fc.option(fc.nat(1 << 10), { nil: undefined }),
    },
    { noNullPrototype: true },
  )
  let accepted = 0
  fc.assert(
    fc.property(anyConfig, ({ address, length, SubnetLen, min, max }) => {
      const base = bigintOf(addressOf(prefixOf(address, length)))
      const at = (n: number | undefined): string | undefined =>
        n === undefined ? undefined : fromNumber(Number(base + (BigInt(n) << BigInt(32 - (SubnetLen ?? 24)))) % 2 ** 32)
      let range
      try {
        range = parse({
          Network: `${address}/${length}`,
          SubnetLen,
          SubnetMin: at(min),
          SubnetMax: at(max),
          Backend: VXLAN,
        }).ranges.ipv4
      } catch (error) {
        // Nothing but a ConfigError may come out, whatever the numbers.
        t.true(error instanceof ConfigError, String(error))
        return
      }
      accepted++
      if (range === undefined) throw new TypeError('no range')
      t.true(range.subnetLen >= lengthOf(range.network) + 2 && range.subnetLen <= 30)
      for (const subnet of [range.subnetMin, range.subnetMax]) {
        t.is(addressOf(prefixOf(subnet, range.subnetLen)), subnet)
        t.true(contains(range.network, prefixOf(subnet, range.subnetLen)))
      }
      t.true(bigintOf(range.subnetMin) <= bigintOf(range.subnetMax))
    }),
    { numRuns: 2000 },
  )
  t.true(accepted > 20, `only ${accepted} accepted`)
})

test('any JSON is read or refused by ConfigError', (t) => {
  const key = fc.constantFrom(
    'Network',
    'SubnetLen',
    'subnetmin',
    'SubnetMax',
    'EnableIPv6',
    'IPv6Network',
    'Backend',
    '__proto__',
  )
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('10.2.0.0/16', 'fd00::/48', '10.2.4.0', true, { Type: 'x' }))
  fc.assert(
    fc.property(fc.dictionary(key, value), (config) => {
      try {
        parse(config)
      } catch (error) {
        t.true(error instanceof ConfigError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
