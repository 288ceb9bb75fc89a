// Who may send to a host unwrapped: peers on its link, by their subnets, while its own config has them do so.
import test from 'ava'
import fc from 'fast-check'
import { hostGw } from '../../backends/host-gw/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { Peer } from '../../src/backend.ts'
import { NO_CHANGE } from '../../src/overlay/change.ts'
import { cover, stillLate } from '../../src/overlay/doors.ts'
import type { PlanInputs } from '../../src/overlay/inputs.ts'
import { firewallOf } from '../../src/overlay/plan.ts'
import { type Prefix, contains, lengthOf, overlaps } from '../../src/ip/prefix.ts'
import { LateDoors } from '../../src/overlay/late-doors.ts'
import { VXLAN_DEFAULTS, address, prefix, vxlanPeer } from '../fake/values.ts'
import { inputsWith } from '../fake/overlay-inputs.ts'

const inputs = (backend: object, over: Partial<PlanInputs> = {}): PlanInputs =>
  inputsWith({ Backend: backend }, [], over)

/** A peer 10.2.N.0/24 with this address; its lease names host-gw. */
function gateway(n: number, publicAddress: string): Peer {
  return { subnet: prefix(`10.2.${n}.0/24`), publicAddress: address(publicAddress), type: 'host-gw', data: undefined }
}

/** By device, what may come in by it. */
function doors(of: PlanInputs, peers: readonly Peer[] | undefined): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(firewallOf(of, peers).flatMap(({ overlay }) => overlay.map((one) => [one.name, one.from])))
}

const VXLAN = { Type: 'vxlan' }
const DIRECT = { Type: 'vxlan', DirectRouting: true }
const HOST_GW = { Type: 'host-gw' }
const TUNNEL = { 'flannel.1': ['10.2.0.0/16'] }

test('a lease of another backend opens nothing', (t) => {
  const others = [{ backend: hostGw, config: {} }]
  t.deepEqual(doors(inputs(VXLAN, { others }), [gateway(30, '192.168.19.130')]), TUNNEL)
})

test('ipsec: a door for every peer, since the kernel unwraps its packets on the interface', (t) => {
  const peers = [gateway(4, '192.168.19.123'), gateway(77, '192.168.20.5')]
  t.deepEqual(doors(inputs({ Type: 'ipsec', PSK: 'k'.repeat(96) }), peers), { enp0s3: ['10.2.4.0/24', '10.2.77.0/24'] })
})

test('DirectRouting and host-gw: a door for each peer on our link, for its subnet', (t) => {
  const peers = [vxlanPeer(3, 122), gateway(4, '192.168.19.123'), gateway(77, '192.168.20.5')]
  const from = [peers[0]?.subnet ?? '', '10.2.4.0/24']
  t.deepEqual(doors(inputs(DIRECT), peers), { ...TUNNEL, enp0s3: from })
  t.deepEqual(doors(inputs(HOST_GW), peers), { enp0s3: from })
  t.deepEqual(doors(inputs(DIRECT), [gateway(77, '192.168.20.5')]), TUNNEL, 'on another link')
  t.deepEqual(doors(inputs(HOST_GW), []), {})
})

test('before the peers are known, none is shut out whom the config may have let in', (t) => {
  t.deepEqual(doors(inputs(HOST_GW), undefined), { enp0s3: ['10.2.0.0/16'] })
  t.deepEqual(doors(inputs(VXLAN), undefined), TUNNEL)
})

test('a change of the config: open while peers hear of it, then for those whose leases have not followed', (t) => {
  let over = false
  const late = new LateDoors(() => (over = true))
  t.teardown(() => {
    late.stop()
  })
  const others = [{ backend: hostGw, config: {} }]
  const peers = [vxlanPeer(3, 122), gateway(4, '192.168.19.123')]
  const changed = late.after(inputs(HOST_GW), inputs(VXLAN, { others }), peers)
  t.deepEqual(doors(changed, peers), { ...TUNNEL, enp0s3: [peers[0]?.subnet ?? '', '10.2.4.0/24'] })
  t.false(over)
  const later = { ...changed, change: { ...changed.change, lately: false } }
  t.deepEqual(doors(later, peers), { ...TUNNEL, enp0s3: ['10.2.4.0/24'] })
  t.deepEqual(doors(later, peers.slice(0, 1)), TUNNEL)
  // Leases do not show an option.
  const off = late.after(inputs(DIRECT), inputs(VXLAN), peers)
  t.deepEqual(off.change, { lately: true, formerly: [] })
  t.deepEqual(late.after(inputs(VXLAN), inputs(DIRECT), peers).change, NO_CHANGE)
})

test('after a change, leases that are written later open nothing, whatever they name', (t) => {
  const late = new LateDoors(() => undefined)
  t.teardown(() => {
    late.stop()
  })
  const others = [{ backend: hostGw, config: {} }]
  const peers = [vxlanPeer(3, 122), gateway(4, '192.168.19.123')]
  const changed = late.after(inputs(HOST_GW), inputs(VXLAN, { others }), peers)
  const { formerly } = changed.change
  const later = { ...changed, change: { lately: false, formerly } }
  const many = Array.from({ length: 40 }, (_, n) => gateway(40 + 2 * n, '192.168.19.66'))
  t.deepEqual(doors(later, [...peers, ...many]), { ...TUNNEL, enp0s3: ['10.2.4.0/24'] })
  t.deepEqual(doors(later, [gateway(4, '192.168.19.66')]), TUNNEL, 'the same subnet, another host')
  const bySubnet = (all: readonly Peer[]): ReadonlyMap<Prefix, Peer> => new Map(all.map((one) => [one.subnet, one]))
  t.is(stillLate(formerly, bySubnet([...peers, ...many])), formerly)
  t.deepEqual(stillLate(formerly, bySubnet(many)), [], 'gone')
  t.deepEqual(stillLate(formerly, bySubnet([{ ...gateway(4, '192.168.19.123'), type: 'vxlan' }])), [], 'followed')
  t.deepEqual(stillLate(formerly, bySubnet([gateway(4, '192.168.19.66')])), [], 'another host')
})

test('while peers still receive by vxlan, a host-gw network has its tunnel and its doors', (t) => {
  const others = [{ backend: vxlan, config: VXLAN_DEFAULTS }]
  t.deepEqual(doors(inputs(HOST_GW, { others }), [vxlanPeer(3, 122)]), {
    ...TUNNEL,
    enp0s3: [vxlanPeer(3, 122).subnet],
  })
})

test('few subnets are covered by themselves, many by few prefixes that leave none out', (t) => {
  const subnet = fc.integer({ min: 0, max: 255 }).map((n) => prefix(`10.2.${n}.0/24`))
  const most = fc.integer({ min: 1, max: 20 })
  fc.assert(
    fc.property(fc.uniqueArray(subnet, { maxLength: 60 }), most, (subnets, limit) => {
      const covering = cover(subnets, 24, limit)
      t.true(covering.length <= Math.max(limit, 0))
      for (const one of subnets) t.is(covering.filter((wide) => contains(wide, one)).length, 1)
      for (const wide of covering) t.true(subnets.some((one) => overlaps(wide, one)))
      const size = (all: readonly Prefix[]): number => all.reduce((sum, one) => sum + 2 ** (32 - lengthOf(one)), 0)
      if (subnets.length <= limit) t.is(size(covering), size(subnets), 'not one address more')
    }),
  )
})
