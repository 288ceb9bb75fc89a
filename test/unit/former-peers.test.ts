// Peers that go over from one backend to another: what is written while they do.
import test from 'ava'
import { ipsec } from '../../backends/ipsec/index.ts'
import { wireguard } from '../../backends/wireguard/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import type { Peer } from '../../src/backend.ts'
import { only } from '../../src/ip/by-family.ts'
import type { PeerSession } from '../../src/kernel/peer-session.ts'
import { showObject } from '../../src/kernel/show.ts'
import { createSection } from '../../src/network-config/section.ts'
import { FormerPeers } from '../../src/overlay/former-peers.ts'
import { type Intent, peerObjects } from '../../src/reconcile/intent.ts'
import type { ChangedPeer } from '../../src/reconcile/networks.ts'
import { VXLAN_DEFAULTS, prefix, selfWith, vxlanPeer } from '../fake/values.ts'

const KEY = Buffer.alloc(32, 2).toString('base64')
const before = vxlanPeer(22, 122)
const after: Peer = { ...before, type: 'wireguard', data: { publicKey: KEY, port: undefined } }
/** Its policies, without their templates, and its routes. */
function ipsecShown(active: Intent['active'], peer: Peer): readonly string[] {
  const objects = peerObjects({ ...intent, active }, peer)
  const ways = objects.ok ? objects.value.filter(({ kind }) => kind === 'policy' || kind === 'route') : []
  return ways.map(showObject).map((words) => words.replace(/^src .*(dir \w+) tmpl .* tunnel/, '$1'))
}

const SUBNET = prefix('10.2.22.0/24')

const intent: Intent = {
  active: [
    { backend: wireguard, config: wireguard.parseConfig(createSection({}, 'Backend')) },
    { backend: vxlan, config: VXLAN_DEFAULTS },
  ],
  selves: only(
    4,
    selfWith(undefined, { prepared: new Map([['wireguard-key', Buffer.alloc(32, 1).toString('base64')]]) }),
  ),
  blackhole: true,
  leftovers: [],
}

function shown(peer: Peer): readonly string[] {
  const objects = peerObjects(intent, peer)
  return objects.ok ? objects.value.map(showObject).map((words) => words.replace(/ (lladdr|dst|endpoint) .*/, '')) : []
}

const SESSION: PeerSession = { type: 'wireguard', publicKey: KEY }

function ofWireguard({ type }: Peer): PeerSession | undefined {
  return type === 'wireguard' ? SESSION : undefined
}

function formers(
  connected: () => boolean,
  sessionOf: (peer: Peer) => PeerSession | undefined = ofWireguard,
): { peers: FormerPeers; next: () => Promise<readonly ChangedPeer[]> } {
  let tell: (changes: readonly ChangedPeer[]) => void = () => undefined
  const peers = new FormerPeers({
    sessionOf: (peer) => sessionOf(peer),
    isConnected: () => Promise.resolve(connected()),
    changed: (changes) => {
      tell(changes)
    },
  })
  return { peers, next: () => new Promise((resolve) => (tell = resolve)) }
}

test('packets go the old way until the new one has a session, and what both need is there', async (t) => {
  let connected = false
  const { peers, next } = formers(() => connected)
  peers.take(new Map([[SUBNET, after]]), [{ subnet: SUBNET, before, after }])
  t.deepEqual(shown(peers.view.get(SUBNET) ?? after), [
    shown(before)[0] ?? '',
    shown(before)[1] ?? '',
    `flannel-wg peer ${KEY}`,
    '10.2.22.0/24 via 10.2.22.0 dev flannel.1 proto 142 onlink',
  ])
  t.deepEqual(peers.typesWith(['wireguard']), ['vxlan', 'wireguard'])
  connected = true
  const [change] = await next()
  t.deepEqual(change?.before?.former, { peer: before, leads: true })
  t.is(shown(peers.view.get(SUBNET) ?? after).at(-1), '10.2.22.0/24 dev flannel-wg proto 142')
  t.is(shown(peers.view.get(SUBNET) ?? after).length, 4)
  peers.stop()
})

test('a way without a session is taken at once; the old one is kept for what is still sent by it', (t) => {
  const { peers } = formers(() => false)
  peers.take(new Map([[SUBNET, before]]), [{ subnet: SUBNET, before: after, after: before }])
  const words = shown(peers.view.get(SUBNET) ?? before)
  t.is(words.at(-1), '10.2.22.0/24 via 10.2.22.0 dev flannel.1 proto 142 onlink')
  t.true(words.includes(`flannel-wg peer ${KEY}`))
  peers.stop()
})

test('a peer of the same backend that needs a session now, and did not, is on its way; one that ceases to need it is not', (t) => {
  const keyed: Peer = { ...before, data: { key: KEY } }
  const { peers } = formers(
    () => false,
    ({ data }) => (data === keyed.data ? SESSION : undefined),
  )
  peers.take(new Map([[SUBNET, keyed]]), [{ subnet: SUBNET, before, after: keyed }])
  t.deepEqual(peers.view.get(SUBNET)?.former, { peer: before, leads: true })
  peers.take(new Map(), [{ subnet: SUBNET, before: keyed, after: undefined }])
  peers.take(new Map([[SUBNET, before]]), [{ subnet: SUBNET, before: keyed, after: before }])
  t.is(peers.view.get(SUBNET), before)
  peers.stop()
})

const IPSEC = { backend: ipsec, config: ipsec.parseConfig(createSection({ PSK: 'f00d'.repeat(24) }, 'Backend')) }
const VXLAN = { backend: vxlan, config: VXLAN_DEFAULTS }
const encrypted: Peer = { ...before, type: 'ipsec', data: null }
const VIA_VXLAN = '10.2.22.0/24 via 10.2.22.0 dev flannel.1 proto 142 onlink'
const EITHER = ['dir in level use', 'dir fwd level use']

test('the policy for packets to a peer comes with its keys, and until all is over it may send both ways', (t) => {
  const on = (leads: boolean): Peer => ({ ...encrypted, former: { peer: before, leads } })
  t.deepEqual(ipsecShown([IPSEC, VXLAN], on(true)), [...EITHER, VIA_VXLAN])
  t.deepEqual(ipsecShown([IPSEC, VXLAN], on(false)), [...EITHER, 'dir out', '10.2.22.0/24 dev enp0s3 proto 142'])
  t.deepEqual(ipsecShown([IPSEC], encrypted), ['dir out', 'dir in', 'dir fwd', '10.2.22.0/24 dev enp0s3 proto 142'])
})

test('while ipsec is in use, packets of a peer with another backend may arrive by it', (t) => {
  t.deepEqual(ipsecShown([VXLAN, IPSEC], before), [...EITHER, VIA_VXLAN])
  t.deepEqual(ipsecShown([VXLAN], before), [VIA_VXLAN])
  const back: Peer = { ...before, former: { peer: encrypted, leads: false } }
  t.deepEqual(ipsecShown([VXLAN, IPSEC], back), [...EITHER, VIA_VXLAN])
})

test('a peer that leaves, or changes within its backend, is not on its way', (t) => {
  const { peers } = formers(() => false)
  const moved = { ...before, publicAddress: vxlanPeer(22, 123).publicAddress }
  peers.take(new Map([[SUBNET, moved]]), [{ subnet: SUBNET, before, after: moved }])
  t.is(peers.view.get(SUBNET), moved)
  t.deepEqual([...peers.view.values()], [moved])
  peers.take(new Map([[SUBNET, after]]), [{ subnet: SUBNET, before: moved, after }])
  t.not(peers.view.get(SUBNET), after)
  const changes = peers.take(new Map(), [{ subnet: SUBNET, before: after, after: undefined }])
  t.deepEqual(changes[0]?.before?.former, { peer: moved, leads: true })
  t.is(peers.view.get(SUBNET), undefined)
  peers.stop()
})
