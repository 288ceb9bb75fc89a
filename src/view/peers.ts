// The peers as an operator sees them: one value each, of what the leases say, how packets go there and how that goes.
// Invariant: made on request from what is known; no request is sent.
import { inFamily, mapFamilies } from '../ip/by-family.ts'
import { worstOf } from './host-health.ts'
import { partnerOf, standsForHost } from './hosts.ts'
import type { FamilyView, PeerView } from './status-shape.ts'
import type { Peer } from '../backend.ts'
import { bigintOf } from '../ip/address.ts'
import { addressOf, parsePrefix, prefixFamily } from '../ip/prefix.ts'
import type { Unbelieved } from '../lease/stats.ts'
import { decodeKey } from '../lease/codec.ts'
import { printable } from '../text/plain-text.ts'
import type { Running, RunningDaemon } from './running-daemon.ts'
import type { Session } from '../overlay/session.ts'
import { PEER_STATES } from '../text/peer-states.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import { primarySubnet } from '../lease/lease.ts'

/** Whether an operator should look at it. A refused lease that does no harm does not count. */
export function isTrouble({ state, level }: Pick<PeerView, 'state' | 'level'>): boolean {
  return state === 'refused' ? level === 'fault' : state !== 'up' && state !== 'unknown'
}

/** By trouble, then by subnet. */
export function worstFirst(peers: readonly PeerView[]): readonly PeerView[] {
  const places = new Map(peers.map((peer) => [peer, placeOf(peer.subnet)]))
  const place = (peer: PeerView): number => places.get(peer) ?? 0
  const worst = (peer: PeerView): number => PEER_STATES.indexOf(peer.state)
  return peers.toSorted((a, b) => worst(a) - worst(b) || place(a) - place(b))
}

/** All peers and the leases that are refused, in no order; none before there is a lease of our own. */
export function peersOf(daemon: RunningDaemon): readonly PeerView[] {
  if (daemon.phase !== 'running') return []
  const views = daemon.sessions.flatMap((session) => viewsOf(daemon, session, session.peers.values()))
  return [...views, ...refusedOf(daemon)]
}

/** The hosts of these peers of one network, one view each. */
export function viewsOf({ prober }: Running, session: Session, peers: Iterable<Peer>): readonly PeerView[] {
  const ways = new Map<string, Way>()
  const views: PeerView[] = []
  for (const peer of peers) {
    const partner = partnerOf(peer, session.peers)
    if (!standsForHost(peer, partner)) continue
    const way = ways.get(peer.type) ?? wayOf(peer.type, session)
    ways.set(peer.type, way)
    const first = familyView(peer, way(peer), prober.healthOf(peer.subnet))
    const second = partner && familyView(partner, way(partner), prober.healthOf(partner.subnet))
    const encrypted = way(peer).encrypted && (partner === undefined || way(partner).encrypted)
    views.push(hostView(peer.type, encrypted, first, second))
  }
  return views
}

/** The leases that are refused. */
export function refusedOf({ leaseStats, options }: Running): readonly PeerView[] {
  return Array.from(leaseStats.unbelieved, ([key, it]) => refusedView(options.etcdPrefix, key, it))
}

function hostView(type: string, encrypted: boolean, first: FamilyView, second: FamilyView | undefined): PeerView {
  const { subnet, publicAddress } = first
  const families = second === undefined ? [] : [first, second]
  const shown = second === undefined ? healthIn(first) : worstOf(first, [second])
  return { subnet, publicAddress, type, encrypted, ...shown, level: null, families }
}

function healthIn({
  via,
  why,
  state,
  rttMs,
  loss,
  pathMtu,
  since,
  cause,
  note,
}: FamilyView): ReturnType<typeof worstOf> {
  return { via, why, state, rttMs, loss, pathMtu, since, cause, note }
}

function familyView(peer: Peer, { via, why }: ReturnType<Way>, health: PeerHealth | undefined): FamilyView {
  const { subnet, publicAddress } = peer
  const place = { family: prefixFamily(subnet), subnet, publicAddress, via, why }
  if (health === undefined) return { ...UNTESTED, ...place, state: 'unknown' }
  const { state, rttMs, loss, pathMtu, since, note } = health
  const cause = health.cause === 'none' ? null : health.cause
  return { ...place, state, rttMs: rttMs ?? null, loss, pathMtu: pathMtu ?? null, since, cause, note }
}

/** Nothing is known of how packets fare. */
export const UNTESTED = { rttMs: null, loss: null, pathMtu: null, since: null, cause: null, note: '', why: '' } as const

/** Nothing is known of how it does. */
export const UNPROBED = { ...UNTESTED, type: null, encrypted: null, level: null, families: [] } as const

/** A lease that is not believed: its key is all that is sure. */
function refusedView(prefix: string, key: string, { level, text: note }: Unbelieved): PeerView {
  const decoded = decodeKey(prefix, key)
  const subnet = decoded.ok
    ? primarySubnet({ subnets: decoded.value })
    : printable(key.slice(key.lastIndexOf('/') + 1), 60)
  return { ...UNPROBED, subnet, publicAddress: null, via: '', state: 'refused', level, note }
}

/** A number that sorts subnets; what is none comes last. */
function placeOf(subnet: string): number {
  const prefix = parsePrefix(subnet)
  return prefix === undefined ? Infinity : Number(bigintOf(addressOf(prefix)))
}

/** How packets to the peers of one backend are sent. */
type Way = (peer: Peer) => { readonly via: string; readonly why: string; readonly encrypted: boolean }

/** By the backend's name or that of the backend that it has wrap them; `direct` where it wraps others and not these. */
function wayOf(type: string, session: Session): Way {
  const configured = session.configured(type)
  if (configured === undefined) return () => ({ via: type, why: '', encrypted: false })
  const { backend, config } = configured
  const encrypts = backend.encrypts?.(config) === true
  const selves = mapFamilies(session.plan.intent.selves, (its) => ({ ...its, config }))
  return (peer) => {
    const self = inFamily(selves, prefixFamily(peer.subnet))
    if (self === undefined || backend.wraps === undefined) return { via: type, why: '', encrypted: encrypts }
    const wrapping = backend.wraps(self, peer)
    const why = backend.explains?.(self, peer) ?? ''
    if (wrapping === undefined) return { via: 'direct', why, encrypted: false }
    return { via: wrapping.by ?? type, why, encrypted: wrapping.encrypted ?? encrypts }
  }
}
