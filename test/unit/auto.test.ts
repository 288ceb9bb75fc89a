// Backend auto: which way packets to a peer go, why, and what of the kernel's objects differs between the ways.
import test from 'ava'
import { auto } from '../../backends/auto/index.ts'
import type { AutoPeer } from '../../backends/auto/config.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { Peer, Self } from '../../src/backend.ts'
import { keyOf } from '../../src/kernel/state.ts'
import { ProvenPeers } from '../../src/overlay/proven-peers.ts'
import { pathTo } from '../../src/probe/path.ts'
import { ENP0S3, VXLAN_DEFAULTS, address, selfWith, vxlanPeer } from '../fake/values.ts'

const SELF = selfWith(VXLAN_DEFAULTS)
const WAY = { backend: auto, config: VXLAN_DEFAULTS }

function peerWith(over: Partial<Peer<AutoPeer>> = {}, says: 'direct' | 'nat' | 'nothing' = 'direct'): Peer<AutoPeer> {
  const peer = vxlanPeer(7, 107) as Peer<AutoPeer>
  const takesDirect = says === 'nothing' ? undefined : says === 'direct'
  return { ...peer, data: { ...peer.data, takesDirect }, ...over }
}

/** What packets to a peer need, why they go there so, and whether a direct way is looked for. */
function wayTo(peer: Peer<AutoPeer>, self: Self<typeof VXLAN_DEFAULTS> = SELF): object {
  const needs = auto.forPeer(self, peer)
  if (!needs.ok) throw new Error(needs.detail)
  const route = needs.value.find((object) => object.kind === 'route')
  const device = route?.kind === 'route' && route.target.type === 'gateway' ? route.target.device : ''
  return { device, by: auto.wraps?.(self, peer)?.by, why: auto.explains?.(self, peer), tries: auto.tries?.(self, peer) }
}

const TUNNEL = { device: 'flannel.1', by: 'vxlan' }

test('a peer on our LAN: by the tunnel until the direct way is proven, and then by one route more or less', (t) => {
  t.like(wayTo(peerWith()), { ...TUNNEL, tries: true, why: 'on our LAN, which is being tried' })
  t.like(wayTo(peerWith({ direct: false })), {
    ...TUNNEL,
    tries: true,
    why: 'on our LAN, which does not carry packets of containers',
  })
  t.like(wayTo(peerWith({ direct: true })), {
    device: 'enp0s3',
    by: undefined,
    tries: true,
    why: 'on our LAN, which carries packets of containers',
  })
  const keys = [false, true].map((direct) => {
    const needs = auto.forPeer(SELF, peerWith({ direct }))
    return needs.ok ? needs.value.map(keyOf) : []
  })
  t.deepEqual(keys[0], keys[1], 'the same objects: a change of the way deletes none')
})

test("whatever was proven: the tunnel to another network, to hosts of Go's flanneld, from and to hosts behind a NAT", (t) => {
  const direct = true
  t.like(wayTo(peerWith({ direct, publicAddress: address('10.8.0.7') })), {
    ...TUNNEL,
    tries: false,
    why: 'on another network',
  })
  t.like(wayTo(peerWith({ direct }, 'nothing')), { ...TUNNEL, tries: false, why: 'its lease says so' })
  t.like(wayTo(peerWith({ direct }, 'nat')), { ...TUNNEL, tries: false, why: 'behind a NAT' })
  const behind = { ...SELF, external: { ...ENP0S3, publicAddress: address('203.0.113.7') } }
  t.like(wayTo(peerWith({ direct }), behind), { ...TUNNEL, tries: false, why: 'behind a NAT' })
  t.like(auto.leaseData(behind), { Direct: false })
})

test('its lease is one of vxlan, with what Go ignores; it reads those of vxlan', (t) => {
  t.is(auto.leaseType, 'vxlan')
  t.deepEqual(auto.leaseData(SELF), { ...vxlan.leaseData(SELF), Direct: true })
  const go = auto.parsePeerData({ VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' }, VXLAN_DEFAULTS)
  t.deepEqual<unknown, unknown>(go, { ok: true, value: { mac: 'c6:d2:32:6f:8f:44', takesDirect: undefined } })
  t.like(auto.parsePeerData({ VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44', Direct: 'yes' }, VXLAN_DEFAULTS), {
    value: { takesDirect: undefined },
  })
})

test('probes: a trial of the LAN beside the tunnel, and by the direct way the addresses of the overlay', (t) => {
  const ends = { source: '10.2.21.0', destination: '10.2.7.0', full: 1450 }
  const onLink = { lane: ends, index: ENP0S3.index, gateway: '192.168.19.107' }
  t.like(pathTo(peerWith(), SELF, WAY), { via: 'tunnel', tunnel: ends, onLink: { ...onLink, taken: false } })
  t.like(pathTo(peerWith({ direct: true }), SELF, WAY), {
    via: 'direct',
    tunnel: ends,
    onLink: { ...onLink, taken: true },
  })
  t.is(pathTo(peerWith({ publicAddress: address('10.8.0.7') }), SELF, WAY)?.onLink, undefined)
})

test('what is proven of a peer is of the lease that was probed', (t) => {
  const [seven, eight] = [peerWith(), vxlanPeer(8, 108)]
  const leased = new Map([seven, eight].map((peer) => [peer.subnet, peer]))
  const peers = new ProvenPeers()
  peers.take(leased, [])
  t.is(peers.all, leased, 'no cost while nothing is proven')
  t.deepEqual(peers.prove(seven.subnet, true), {
    subnet: seven.subnet,
    before: seven,
    after: { ...seven, direct: true },
  })
  t.is(peers.prove(seven.subnet, true), undefined, 'no change')
  t.deepEqual([...peers.all.values()], [{ ...seven, direct: true }, eight])
  const proven = peers.all.get(seven.subnet)

  const moved = { ...seven, publicAddress: address('192.168.19.177') }
  leased.set(seven.subnet, moved)
  const change = { subnet: seven.subnet, before: seven, after: moved }
  t.deepEqual(peers.take(leased, [change]), [{ ...change, before: proven }])
  t.is(peers.all.get(seven.subnet)?.direct, undefined)
})
