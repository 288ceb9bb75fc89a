// Which peers get a series of their own: those that are probed, the ones in trouble first, within a bound. Pure.
// Invariant: a scrape of 60,000 peers is no larger than one of PEER_SERIES.
import type { PeerView } from '../peer-view.ts'
import type { Sample } from './sample.ts'

/** So many peers have series of their own. */
export const PEER_SERIES = 1_000

/** States of a peer, the worst first. */
export const PEER_STATES = ['unreachable', 'degraded', 'up', 'unknown', 'refused'] as const

/** One sample for each probed peer of which `value` is known. */
export function peerSeries(peers: readonly PeerView[], value: (peer: PeerView) => number | null): readonly Sample[] {
  return shown(peers).flatMap((peer) => {
    const known = value(peer)
    return known === null ? [] : [{ labels: { peer: peer.subnet }, value: known }]
  })
}

/** How many peers are in each state. */
export function peerStates(peers: readonly PeerView[]): readonly Sample[] {
  return PEER_STATES.map((state) => ({
    labels: { state },
    value: peers.reduce((count, peer) => (peer.state === state ? count + 1 : count), 0),
  }))
}

function shown(peers: readonly PeerView[]): readonly PeerView[] {
  const probed = peers.filter(({ state }) => state !== 'unknown' && state !== 'refused')
  if (probed.length <= PEER_SERIES) return probed
  const order = (peer: PeerView): number => PEER_STATES.indexOf(peer.state)
  return probed.toSorted((a, b) => order(a) - order(b)).slice(0, PEER_SERIES)
}
