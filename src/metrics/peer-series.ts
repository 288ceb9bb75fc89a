// Which peers get a series of their own: those that are probed, the ones in trouble first, within a bound. Pure.
// Invariant: a scrape of 60,000 peers is no larger than one of PEER_SERIES, and reads only the probed ones.
import type { Peer } from '../backend.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import { peersIn } from '../overlay/sessions.ts'
import { type PeerHealths, healthOfHost, hostCount, partnerOf, standsForHost } from '../view/hosts.ts'
import { type RunningDaemon, whenRunning } from '../view/running-daemon.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import { PEER_STATES } from '../text/peer-states.ts'
import type { Sample } from './sample.ts'

/** The number of peers with series of their own. */
export const PEER_SERIES = 1_000

/** The source of peers' health. */
export interface Judge {
  /** Those probed recently. */
  judged(): Iterable<readonly [Prefix, PeerHealth]>
}

/** One sample for each probed peer of which `value` is known; of a host with two families one for each, under one name. */
export function peerSeries(
  judge: Judge | undefined,
  value: (health: PeerHealth) => number | undefined,
  peers: ReadonlyMap<Prefix, Peer> = new Map(),
): readonly Sample[] {
  return shown(judge).flatMap(([subnet, health]) => {
    const known = value(health)
    return known === undefined ? [] : [{ labels: labelsOf(subnet, peers), value: known }]
  })
}

/** The same of a daemon. */
export function peerSeriesOf(
  daemon: RunningDaemon,
  value: (health: PeerHealth) => number | undefined,
): readonly Sample[] {
  const running = whenRunning(daemon)
  return running === undefined ? [] : peerSeries(running.prober, value, peersIn(running.sessions))
}

/** The host by the subnet that stands for it; a series of its other family says which that is. */
function labelsOf(subnet: Prefix, peers: ReadonlyMap<Prefix, Peer>): Readonly<Record<string, string>> {
  const peer = peers.get(subnet)
  const partner = peer && partnerOf(peer, peers)
  if (peer === undefined || partner === undefined || standsForHost(peer, partner)) return { peer: subnet }
  return { peer: partner.subnet, family: `IPv${prefixFamily(subnet)}` }
}

/** How many hosts are in each state. */
export function peerStates(daemon: RunningDaemon): readonly Sample[] {
  const running = whenRunning(daemon)
  const probed = running === undefined ? NONE : hostStates(running.prober, peersIn(running.sessions))
  const counts = { ...probed, refused: daemon.leaseStats.unbelieved.size }
  return PEER_STATES.map((state) => ({ labels: { state }, value: counts[state] }))
}

const NONE: Readonly<Record<PeerHealth['state'], number>> = { unreachable: 0, degraded: 0, up: 0, unknown: 0 }

/** Counts hosts by the probed peers alone: the others are unknown. */
export function hostStates(judge: Judge & PeerHealths, peers: ReadonlyMap<Prefix, Peer>): typeof NONE {
  const counts = { ...NONE, unknown: hostCount(peers) }
  const counted = new Set<Peer>()
  for (const [subnet] of judge.judged()) {
    const peer = peers.get(subnet)
    if (peer === undefined) continue
    const partner = partnerOf(peer, peers)
    const stands = partner === undefined || standsForHost(peer, partner) ? peer : partner
    if (partner !== undefined && counted.has(stands)) continue
    if (partner !== undefined) counted.add(stands)
    const { state } = healthOfHost(judge, peer, partner)
    counts.unknown--
    counts[state]++
  }
  return counts
}

function shown(judge: Judge | undefined): readonly (readonly [Prefix, PeerHealth])[] {
  const probed = [...(judge?.judged() ?? [])].filter(([, { state }]) => state !== 'unknown')
  if (probed.length <= PEER_SERIES) return probed
  const order = (health: PeerHealth): number => PEER_STATES.indexOf(health.state)
  return probed.toSorted(([, a], [, b]) => order(a) - order(b)).slice(0, PEER_SERIES)
}
