// Gathers what the page shows of the daemon, at every point of its life: before etcd answers there are only reasons.
import type { Sight } from '../operator.ts'
import { type PeerView, peersOf } from '../peer-view.ts'
import { statusOf, verdictOf } from '../status.ts'
import type { PageLeases, PageState } from './shape.ts'

/** So many peers are shown at most; a browser can hold no more in a picture. */
const PEERS = 5000
/** So many events. */
const EVENTS = 100

/** The state at `at`, milliseconds since 1970. */
export function stateOf(sight: Sight, leases: PageLeases, at: number): PageState {
  const status = statusOf(sight)
  const peers = peersOf(sight)
  const shown = peers.length <= PEERS ? peers : troubleFirst(peers).slice(0, PEERS)
  const { word, reasons } =
    status === undefined ? { word: 'broken', reasons: sight.readiness.reasons } : verdictOf(status, undefined)
  return {
    version: sight.version,
    at,
    verdict: { word, reasons },
    host: { subnet: status?.subnet ?? null, address: status?.address ?? null, backend: status?.backend ?? null },
    facts: [],
    peers: shown,
    unshown: peers.length - shown.length,
    leases,
    events: sight.events.recent.slice(-EVENTS),
  }
}

function troubleFirst(peers: readonly PeerView[]): readonly PeerView[] {
  const fine = (peer: PeerView): boolean => peer.state === 'up' || peer.state === 'unknown'
  return [...peers.filter((peer) => !fine(peer)), ...peers.filter(fine)]
}
