// Backend auto: which way packets to a peer go, why, and what of the kernel's objects differs between the ways.
import test from 'ava'
import { BACKENDS } from '../../backends/index.ts'
import { auto } from '../../backends/auto/index.ts'
import { type AutoConfig, type AutoPeer, parseAutoConfig } from '../../backends/auto/config.ts'
import { KEY_NAME } from '../../backends/wireguard/kernel-objects.ts'
import { createSection } from '../../src/network-config/section.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { Peer, Self } from '../../src/backend.ts'
import { keyOf } from '../../src/kernel/state.ts'
import { BackendConfigs } from '../../src/overlay/backend-configs.ts'
import { BackendsInUse } from '../../src/overlay/backends-in-use.ts'
import { neededSession } from '../../src/overlay/needed-session.ts'
import { only } from '../../src/ip/by-family.ts'
import { type Configuration, readConfiguration } from '../../src/network-config/configuration.ts'
import { ProvenPeers } from '../../src/overlay/proven-peers.ts'
import { pathTo } from '../../src/probe/path.ts'
import { ENP0S3, address, selfWith, vxlanPeer } from '../fake/values.ts'

const CONFIG: AutoConfig = parseAutoConfig(createSection({}, 'Backend'))
const SELF = selfWith(CONFIG)
const WAY = { backend: auto, config: CONFIG }

function peerWith(over: Partial<Peer<AutoPeer>> = {}, says: 'direct' | 'nat' | 'nothing' = 'direct'): Peer<AutoPeer> {
  const peer = vxlanPeer(7, 107) as Peer<AutoPeer>
  const takesDirect = says === 'nothing' ? undefined : says === 'direct'
  return { ...peer, data: { ...peer.data, takesDirect, wireguard: undefined, encrypts: true }, ...over }
}

/** What packets to a peer need, why they go there so, and whether a direct way is looked for. */
function wayTo(peer: Peer<AutoPeer>, self: Self<AutoConfig> = SELF): object {
  const needs = auto.forPeer(self, peer)
  if (!needs.ok) throw new Error(needs.detail)
  const route = needs.value.find((object) => object.kind === 'route')
  const target = route?.kind === 'route' ? route.target : undefined
  const device = target !== undefined && 'device' in target ? target.device : ''
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

const OWN_KEY = `${'A'.repeat(43)}=`
const ITS_KEY = `${'B'.repeat(42)}A=`
const keys = { publicKey: ITS_KEY, port: 51_820 }
const encrypting = (encrypt: AutoConfig['encrypt']): Self<AutoConfig> =>
  selfWith({ ...CONFIG, encrypt }, { prepared: new Map([[KEY_NAME, OWN_KEY]]) })
const keyed = (over: Partial<Peer<AutoPeer>> = {}): Peer<AutoPeer> => {
  const peer = peerWith(over)
  return { ...peer, data: { ...peer.data, wireguard: keys } }
}

test('Encrypt beyond-link: encrypted to another network, as without it on our LAN; always: everywhere', (t) => {
  const beyond = encrypting('beyond-link')
  const away = { publicAddress: address('10.8.0.7') }
  t.like(wayTo(keyed(away), beyond), {
    device: 'flannel-wg',
    by: 'wireguard',
    why: 'on another network, and Encrypt is beyond-link',
  })
  t.like(wayTo(keyed({ direct: true }), beyond), { device: 'enp0s3', by: undefined })
  t.like(wayTo(keyed(), beyond), { ...TUNNEL, tries: true })
  const always = encrypting('always')
  t.like(wayTo(keyed({ direct: true }), always), { device: 'flannel-wg', by: 'wireguard', tries: false })
  t.like(auto.leaseData(always), { Direct: false, PublicKey: OWN_KEY, Port: 51_820 })
  t.is(auto.receivesDirectly(always.config), false)
  t.is(auto.mtu(always), 1420)
  t.is(auto.mtu(SELF), 1450)
})

test('a host without a key is reached, and its line says that packets are not encrypted', (t) => {
  const away = { publicAddress: address('10.8.0.7') }
  const why = 'on another network, not encrypted: it has no key, or we have none'
  t.like(wayTo(peerWith(away), encrypting('beyond-link')), { ...TUNNEL, why })
  t.like(wayTo(keyed(away), { ...encrypting('beyond-link'), prepared: new Map() }), { ...TUNNEL, why })
  t.like(wayTo(peerWith(away, 'nothing'), encrypting('always')), { ...TUNNEL, why: 'its lease says so' })
  const clone = keyed(away)
  const own = { ...clone, data: { ...clone.data, wireguard: { ...keys, publicKey: OWN_KEY } } }
  t.like(auto.forPeer(encrypting('always'), own), { ok: false, reason: 'own-key' })
})

test('a change of Encrypt: entries of a peer with a key stay, and packets wait for the lease to be read again', (t) => {
  const [never, always] = [encrypting('never'), encrypting('always')]
  t.like(wayTo(keyed(), never), TUNNEL)
  const late = keyed()
  t.like(wayTo({ ...late, data: { ...late.data, encrypts: false } }, always), TUNNEL)
  const kinds = [never, always].map((self) => {
    const needs = auto.forPeer(self, keyed())
    return needs.ok ? needs.value.map(keyOf).toSorted() : []
  })
  t.true(kinds[0]?.some((key) => key.startsWith('wireguard-peer')))
  t.is(auto.sendsAlsoBy?.(keyed().data), 'wireguard')
  t.is(auto.sendsAlsoBy?.(peerWith().data), undefined)
})

test('a session is needed where packets are sent encrypted, and only there', (t) => {
  const needs = (self: Self<AutoConfig>, peer: Peer<AutoPeer>): string | undefined => {
    const intent = { active: [], selves: only(4, self), blackhole: false, leftovers: [] }
    const session = neededSession(peer, { backend: auto, config: self.config }, intent)
    return session?.type === 'wireguard' ? session.publicKey : undefined
  }
  t.is(needs(encrypting('always'), keyed()), ITS_KEY)
  t.is(needs(encrypting('never'), keyed()), undefined)
  t.is(needs(encrypting('beyond-link'), keyed({ direct: true })), undefined)
  t.is(needs(encrypting('beyond-link'), keyed()), undefined)
  t.is(needs(encrypting('beyond-link'), keyed({ publicAddress: address('10.8.0.7') })), ITS_KEY)
  t.is(needs(encrypting('always'), peerWith()), undefined)
})

test('a device stays while a peer has a key, made with the config it last had', (t) => {
  const configuration = (section: object): Configuration =>
    readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', Backend: { Type: 'auto', ...section } }), BACKENDS)
  const inUse = new BackendsInUse(BACKENDS, () => undefined)
  const change = (before: Peer | undefined, after: Peer | undefined): void => {
    inUse.change([{ subnet: keyed().subnet, before, after }])
  }
  change(undefined, keyed())
  t.deepEqual(inUse.types, ['vxlan', 'wireguard'])
  const configs = new BackendConfigs(BACKENDS)
  configs.remember(configuration({ Encrypt: 'always', ListenPort: 7000 }).own)
  configs.remember(configuration({}).own)
  const found = configs.find('wireguard', configuration({}))
  t.like(found?.config, { ports: { 4: 7000 } })
})

test('all ways have the same objects but for the route', (t) => {
  const peer = keyed({ direct: true })
  const needs = (['beyond-link', 'always'] as const).map((encrypt) => auto.forPeer(encrypting(encrypt), peer))
  const all = needs.map((it) => (it.ok ? it.value.map(keyOf).toSorted() : []))
  t.deepEqual(all[0], all[1])
  t.is(all[0]?.filter((key) => key.startsWith('wireguard-peer')).length, 1)
})

test('its lease is one of vxlan, with what Go ignores; it reads those of vxlan', (t) => {
  t.is(auto.leaseType, 'vxlan')
  t.deepEqual(auto.leaseData(SELF), { ...vxlan.leaseData(SELF), Direct: true })
  const go = auto.parsePeerData({ VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' }, CONFIG)
  t.deepEqual<unknown, unknown>(go, {
    ok: true,
    value: { mac: 'c6:d2:32:6f:8f:44', takesDirect: undefined, wireguard: undefined, encrypts: false },
  })
  t.like(auto.parsePeerData({ VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44', Direct: 'yes' }, CONFIG), {
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
