// Which peers get a series of their own: those that are probed, the ones in trouble first, within a bound. Pure.
// Invariant: a scrape of 60,000 peers is no larger than one of PEER_SERIES, and reads only the probed ones.
import type { Prefix } from '../ip/prefix.ts'
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

/** One sample for each probed peer of which `value` is known. */
export function peerSeries(
  judge: Judge | undefined,
  value: (health: PeerHealth) => number | undefined,
): readonly Sample[] {
  return shown(judge).flatMap(([subnet, health]) => {
    const known = value(health)
    return known === undefined ? [] : [{ labels: { peer: subnet }, value: known }]
  })
}

/** How many peers are in each state. */
export function peerStates(daemon: RunningDaemon): readonly Sample[] {
  const unprobed = { unreachable: 0, degraded: 0, up: 0, unknown: 0 }
  const probed = whenRunning(daemon)?.prober.summary().peers ?? unprobed
  const counts = { ...probed, refused: daemon.leaseStats.unbelieved.size }
  return PEER_STATES.map((state) => ({ labels: { state }, value: counts[state] }))
}

function shown(judge: Judge | undefined): readonly (readonly [Prefix, PeerHealth])[] {
  const probed = [...(judge?.judged() ?? [])].filter(([, { state }]) => state !== 'unknown')
  if (probed.length <= PEER_SERIES) return probed
  const order = (health: PeerHealth): number => PEER_STATES.indexOf(health.state)
  return probed.toSorted(([, a], [, b]) => order(a) - order(b)).slice(0, PEER_SERIES)
}
