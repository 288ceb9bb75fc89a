// What a new network config means for hosts that run: each key that changes, what follows, and who would be left behind.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { type ConfigChange, configChange } from '../../src/network-config/config-change.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { findLeases } from '../../src/lease/claim.ts'
import { encodeValue } from '../../src/lease/codec.ts'
import type { Address } from '../../src/ip/address.ts'
import { PREFIX, keyOf, valueOf } from '../lab/actors/lease-holder.ts'

const NETWORK = { Network: '10.2.0.0/16' }
const read = (config: object): ReturnType<typeof readConfiguration> =>
  readConfiguration(JSON.stringify(config), BACKENDS)

/** Leases of our daemons; those at `go` are Go's. */
function leases(subnets: readonly string[], go: readonly string[] = []): ReturnType<typeof findLeases> {
  const entries = subnets.map((subnet, n) => {
    const value = valueOf(`192.168.19.${n + 1}` as Address, go.includes(subnet) ? undefined : `host-${n}`)
    return {
      key: keyOf(subnet),
      value: Buffer.from(encodeValue(value)),
      createRevision: '3',
      modRevision: '3',
      lease: '9',
    }
  })
  return findLeases(PREFIX, entries)
}

const THREE = ['10.2.3.0/24', '10.2.21.0/24', '10.2.200.0/24']
const change = (before: object | undefined, after: object, found = leases(THREE)): ConfigChange =>
  configChange(before && read(before), read(after), found)
const lines = ({ changes }: ConfigChange): readonly string[] =>
  changes.map(({ key, before, after, effect }) => `${key} ${before ?? '-'} -> ${after ?? '-'}: ${effect}`)

for (const [what, before, after, expected] of [
  [
    'the backend, vxlan to host-gw',
    {},
    { Type: 'host-gw' },
    /^Backend\.Type vxlan -> host-gw: hosts follow without losing a packet; hosts on another LAN/,
  ],
  [
    'the backend, host-gw to vxlan',
    { Type: 'host-gw' },
    { VNI: 7 },
    /^Backend\.Type host-gw -> vxlan: hosts follow without losing a packet$/,
  ],
  ['the backend, vxlan to alloc', {}, { Type: 'alloc' }, /^Backend\.Type vxlan -> alloc: hosts stop forwarding/],
  ['the backend, alloc to vxlan', { Type: 'alloc' }, {}, /hosts begin to forward/],
  ['VNI', {}, { VNI: 2 }, /^Backend\.VNI 1 -> 2: every host recreates its device: packets are lost.*registers again$/],
  ['Port', { Port: 4789 }, {}, /^Backend\.Port 4789 -> 8472: every host recreates its device: packets are lost/],
  ['GBP', {}, { GBP: true }, /^Backend\.GBP false -> true: every host recreates its device/],
  [
    'MTU',
    {},
    { MTU: 1400 },
    /^Backend\.MTU 0 -> 1400: devices and subnet\.env follow, with 50 bytes less; dockerd and containers keep/,
  ],
  ['DirectRouting', {}, { DirectRouting: true }, /^Backend\.DirectRouting false -> true: hosts follow without losing/],
] as const)
  test(`${what}: one line that says what follows`, (t) => {
    const found = change(
      { ...NETWORK, Backend: { Type: 'vxlan', ...before } },
      { ...NETWORK, Backend: { Type: 'vxlan', ...after } },
    )
    t.is(found.changes.length, 1)
    t.regex(lines(found)[0] ?? '', expected)
    t.deepEqual([found.refusal, found.stranded, found.leases], [null, [], 3])
  })

test('the same config in other words changes nothing', (t) => {
  const found = change(NETWORK, { network: '10.2.0.0/16', SubnetLen: 24, backend: { type: 'VXLAN', vni: 1 } })
  t.deepEqual([found.changes, found.refusal, found.notes], [[], null, []])
})

test('a Network without the leases is refused, and says how many it leaves behind', (t) => {
  const none = change(NETWORK, { Network: '10.9.0.0/16' })
  t.deepEqual(none.stranded, THREE)
  t.is(
    none.refusal,
    '10.9.0.0/16 in subnets of /24 has no place for 10.2.3.0/24 and 2 more: 3 of 3 leases: their hosts would go on with what they have; write it all the same with -force',
  )
  const some = change(NETWORK, { Network: '10.2.0.0/17' })
  t.deepEqual(some.stranded, ['10.2.200.0/24'])
  t.regex(some.refusal ?? '', /no place for 10\.2\.200\.0\/24: 1 of 3 leases/)
  t.deepEqual(change(NETWORK, { Network: '10.0.0.0/8', SubnetLen: 24 }).stranded, [])
  t.is(change(NETWORK, { Network: '10.9.0.0/16' }, []).refusal, null, 'no leases, nobody is left behind')
})

test('another SubnetLen leaves all behind', (t) => {
  const found = change(NETWORK, { ...NETWORK, SubnetLen: 25 })
  t.is(found.stranded.length, 3)
  t.true(lines(found).includes('SubnetLen 24 -> 25: applies to new leases'))
})

test('who was left behind before is not counted again', (t) => {
  const found = change(NETWORK, { ...NETWORK, SubnetMax: '10.2.250.0' }, leases([...THREE, '10.8.1.0/24']))
  t.deepEqual([found.stranded, found.refusal], [[], null])
})

test('leases outside the new SubnetMin and SubnetMax are reported to move at their next start', (t) => {
  const found = change(NETWORK, { ...NETWORK, SubnetMin: '10.2.10.0', SubnetMax: '10.2.100.0' })
  t.deepEqual(lines(found), [
    'SubnetMin 10.2.1.0 -> 10.2.10.0: applies to new leases: a running host keeps its subnet, and moves when its daemon restarts',
    'SubnetMax 10.2.255.0 -> 10.2.100.0: applies to new leases: a running host keeps its subnet, and moves when its daemon restarts',
  ])
  t.deepEqual(found.moving, [
    { subnet: '10.2.3.0/24', publicAddress: '192.168.19.1' },
    { subnet: '10.2.200.0/24', publicAddress: '192.168.19.3' },
  ])
  t.deepEqual(found.notes, [])
  t.is(found.refusal, null)
})

test('who would lease another subnet at the next start is named for every change of place, and for no other', (t) => {
  const moving = (after: object): readonly string[] => change(NETWORK, after).moving.map(({ subnet }) => subnet)
  t.deepEqual(moving({ ...NETWORK, Backend: { Type: 'host-gw' } }), [])
  t.deepEqual(moving({ Network: '10.0.0.0/8', SubnetLen: 24 }), [])
  t.deepEqual(moving({ Network: '10.2.0.0/17' }), ['10.2.200.0/24'])
  t.deepEqual(moving({ ...NETWORK, SubnetLen: 25 }), THREE)
  t.deepEqual(moving({ ...NETWORK, SubnetMin: '10.2.201.0' }), THREE)
})

test("hosts of Go's flanneld are counted, and host-gw says what it needs", (t) => {
  const found = change(NETWORK, { ...NETWORK, Backend: { Type: 'host-gw' } }, leases(THREE, ['10.2.3.0/24']))
  t.deepEqual(found.notes, [
    "1 of 3 hosts run Go's flanneld, which reads the config at its start alone",
    "host-gw needs all hosts on one LAN, and no -public-ip but the interface's own",
  ])
})

test('the first config, and one after a bad one, is reported in full, and no host is left behind', (t) => {
  const found = change(undefined, { Network: '10.9.0.0/16', EnableNFTables: true })
  t.deepEqual(
    found.changes.map(({ key, before, after }) => [key, before, after]),
    [
      ['Network', null, '10.9.0.0/16'],
      ['SubnetLen', null, '24'],
      ['SubnetMin', null, '10.9.1.0'],
      ['SubnetMax', null, '10.9.255.0'],
      ['Backend.Type', null, 'vxlan'],
      ['EnableNFTables', null, 'true'],
    ],
  )
  t.is(found.refusal, null)
})
