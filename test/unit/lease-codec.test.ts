// Keys and values of leases: what Go's flanneld writes is read, what we write is what Go writes, and nothing throws.
import test from 'ava'
import fc from 'fast-check'
import { fromNumber } from '../../src/ip/address.ts'
import { MOST_VALUE_BYTES } from '../../src/etcd/oversized.ts'
import { prefixOf } from '../../src/ip/prefix.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue, subnetsFolder } from '../../src/lease/codec.ts'
import type { LeaseValue } from '../../src/lease/lease.ts'
import { onlySubnet, NEITHER, only } from '../../src/ip/by-family.ts'
import { address, prefix } from '../fake/values.ts'

const PREFIX = '/coreos.com/network'

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

test('a key is written as Go writes it, single and dual stack', (t) => {
  t.is(encodeKey(PREFIX, onlySubnet(prefix('10.5.52.0/24'))), `${PREFIX}/subnets/10.5.52.0-24`)
  t.is(
    encodeKey(`${PREFIX}/`, { ipv4: prefix('10.5.52.0/24'), ipv6: prefix('fc00::/64') }),
    `${PREFIX}/subnets/10.5.52.0-24&fc00::-64`,
  )
})

test('a key read back names the same subnets', (t) => {
  const bits = fc.integer({ min: 0, max: 0xffffffff })
  fc.assert(
    fc.property(
      bits,
      fc.integer({ min: 1, max: 32 }),
      fc.option(fc.integer({ min: 1, max: 128 })),
      (value, length, six) => {
        const subnet = prefixOf(fromNumber(value), length)
        const subnet6 = six === null ? undefined : prefixOf(address('fd00:12:13::'), six)
        const key = encodeKey(PREFIX, { ipv4: subnet, ipv6: subnet6 })
        t.deepEqual(decodeKey(PREFIX, key), { ok: true, value: { ipv4: subnet, ipv6: subnet6 } })
      },
    ),
  )
})

for (const name of [
  '0.0.0.0-0',
  '10.2.3.1-24',
  '10.2.3.0-33',
  '10.2.3.0/24',
  '10.2.3.0',
  '10.2.3-24',
  '010.2.3.0-24',
  '10.2.3.0-024',
  '10.2.3.0-+24',
  'a/10.2.3.0-24',
  '10.2.3.0-24/x',
  '10.2.3.0-24/',
  '',
  '10.2.3.0-24&',
  '10.2.3.0-24&10.2.4.0-24',
  'fc00::-64&10.2.3.0-24',
  '0.0.0.0-0&fc00::-64',
  'fc00::-64&fc01::-64',
  '10.2.3.0-24&fc00::1-64',
  '10.2.3.0-24&FC00::-64',
  '10.2.3.0-24&fc00:0::-64',
  '10.2.3.0-24&fc00::-64&fc01::-64',
  '10.2.3.0-24&::-0',
  '10.2.3.0--24',
  '256.2.3.0-24',
  '10.2.3.0-24 ',
]) {
  test(`the key ${JSON.stringify(name)} is refused with 'key'`, (t) => {
    const read = decodeKey(PREFIX, subnetsFolder(PREFIX) + name)
    t.false(read.ok)
    if (!read.ok) t.is(read.reason, 'key')
  })
}

test('any key is either refused or the one spelling of its subnets', (t) => {
  const part = fc.stringMatching(/^[0-9a-f.:&/-]{0,40}$/)
  fc.assert(
    fc.property(fc.oneof(part, fc.string({ unit: 'binary' })), (name) => {
      const key = subnetsFolder(PREFIX) + name
      const read = decodeKey(PREFIX, key)
      if (read.ok) t.is(encodeKey(PREFIX, read.value), key)
      else t.is(read.reason, 'key')
    }),
    { numRuns: 2_000 },
  )
})

test('a value is written as Go writes it, the host id last', (t) => {
  const value = {
    addresses: only(4, address('192.168.64.3')),
    backendType: 'vxlan',
    backendData: only<unknown>(4, { VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' }),
    hostId: undefined,
    sourceAddresses: NEITHER,
  }
  const text =
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'
  t.is(encodeValue(value), text)
  t.is(encodeValue({ ...value, hostId: 'h1' }), `${text.slice(0, -1)},"HostID":"h1"}`)
  const sourceAddresses = only(4, address('192.168.64.9'))
  const both = encodeValue({ ...value, hostId: 'h1', sourceAddresses })
  t.is(both, `${text.slice(0, -1)},"HostID":"h1","SourceIP":"192.168.64.9"}`)
  t.deepEqual(decodeValue(Buffer.from(both)), { ok: true, value: { ...value, hostId: 'h1', sourceAddresses } })
  t.is(
    encodeValue({ ...value, backendType: 'host-gw', backendData: NEITHER }),
    '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"host-gw"}',
  )
})

test('a value read back is the same', (t) => {
  const text = fc.string({ minLength: 1, maxLength: 20 })
  const data = fc.option(
    fc
      .jsonValue({ maxDepth: 2 })
      .filter((value) => value !== null && JSON.stringify(value) === JSON.stringify(JSON.parse(JSON.stringify(value)))),
    { nil: undefined },
  )
  fc.assert(
    fc.property(
      fc.record({
        ip: fc.integer({ min: 0, max: 0xffffffff }),
        six: fc.boolean(),
        type: text,
        data4: data,
        data6: data,
        hostId: fc.option(text, { nil: undefined }),
      }),
      ({ ip, six, type, data4, data6, hostId }) => {
        const value: LeaseValue = {
          addresses: { ipv4: fromNumber(ip), ipv6: six ? address('fd00::1') : undefined },
          backendType: type,
          backendData: { ipv4: data4, ipv6: data6 },
          hostId,
          sourceAddresses: NEITHER,
        }
        const read = decodeValue(Buffer.from(encodeValue(value)))
        t.true(read.ok)
        if (read.ok) t.is(encodeValue(read.value), encodeValue(value))
      },
    ),
  )
})

test('JSON keys are read in any case, the last one wins, null is absence', (t) => {
  const read = decodeValue(
    Buffer.from(
      '{"publicip":"1.2.3.4","PUBLICIP":"5.6.7.8","PublicIP":null,"backendTYPE":"vxlan","backenddata":null,"HostID":7}',
    ),
  )
  t.true(read.ok)
  if (!read.ok) return
  t.is(read.value.addresses.ipv4, address('5.6.7.8'))
  t.is(read.value.backendData.ipv4, undefined)
  t.is(read.value.hostId, undefined)
})

const GOOD = { PublicIP: '192.168.64.3', BackendType: 'vxlan' }
for (const [what, value, reason] of [
  ['no JSON', Buffer.from('hello'), 'json'],
  ['nothing', Buffer.alloc(0), 'json'],
  ['a list', json([GOOD]), 'json'],
  ['null', json(null), 'json'],
  ['a number', json(1), 'json'],
  ['200 kB', Buffer.alloc(200_000, 0x61), 'oversized'],
  ['a large good value', json({ ...GOOD, x: 'x'.repeat(MOST_VALUE_BYTES) }), 'oversized'],
  ['deep nesting', Buffer.from('['.repeat(16_000)), 'json'],
  ['no PublicIP', json({ BackendType: 'vxlan' }), 'public-ip'],
  ['a PublicIP that is a number', json({ ...GOOD, PublicIP: 3232251907 }), 'public-ip'],
  ['a PublicIP with a leading zero', json({ ...GOOD, PublicIP: '010.0.0.1' }), 'public-ip'],
  ['an IPv6 PublicIP', json({ ...GOOD, PublicIP: 'fc00::1' }), 'public-ip'],
  ['an IPv4 PublicIPv6', json({ ...GOOD, PublicIPv6: '10.0.0.1' }), 'public-ip'],
  ['an empty PublicIPv6', json({ ...GOOD, PublicIPv6: '' }), 'public-ip'],
  ['no BackendType', json({ PublicIP: '10.0.0.1' }), 'backend-type'],
  ['a BackendType that is a list', json({ ...GOOD, BackendType: ['vxlan'] }), 'backend-type'],
] as const) {
  test(`a value of ${what} is refused with '${reason}'`, (t) => {
    const read = decodeValue(value)
    t.false(read.ok)
    if (!read.ok) {
      t.is(read.reason, reason)
      t.true(read.detail.length <= 80)
    }
  })
}

test('any bytes and any JSON are decoded or refused with a known reason', (t) => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
  const name = fc.constantFrom(
    'PublicIP',
    'publicip',
    'PublicIPv6',
    'BackendType',
    'BackendData',
    'HostID',
    '__proto__',
    'constructor',
  )
  const value = fc.oneof(fc.constantFrom<unknown>('10.0.0.1', 'fc00::1', 'vxlan', null), fc.jsonValue())
  const object = fc
    .array(fc.tuple(name, value))
    .map((pairs) =>
      Buffer.from(`{${pairs.map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`).join(',')}}`),
    )
  fc.assert(
    fc.property(fc.oneof(bytes, object), (input) => {
      const read = decodeValue(input)
      if (!read.ok) t.true(['oversized', 'json', 'public-ip', 'backend-type'].includes(read.reason))
    }),
    { numRuns: 5_000 },
  )
})
