// Gathers what the page shows of the daemon, at every point of its life: before etcd answers there are only reasons.
import type { Sight } from '../operator.ts'
import { type PeerView, peersOf } from '../peer-view.ts'
import { factsOf } from '../status-text.ts'
import { statusOf } from '../status.ts'
import { verdictOf } from '../verdict.ts'
import type { PageLeases, PageState } from './shape.ts'

/** So many peers are shown at most; a browser can hold no more in a picture. */
const PEERS = 5000
/** So many events. */
const EVENTS = 100

/** The state at `at`, milliseconds since 1970. */
export async function stateOf(sight: Sight, leases: PageLeases, at: number): Promise<PageState> {
  const status = await statusOf(sight)
  const peers = peersOf(sight)
  const shown = peers.length <= PEERS ? peers : troubleFirst(peers).slice(0, PEERS)
  const { word, reasons } = verdictOf(status, undefined, at)
  return {
    version: sight.version,
    at,
    verdict: { word, reasons: reasons.map(({ text, run }) => (run === null ? text : `${text}. Run: ${run}`)) },
    host: { subnet: status.lease?.subnet ?? null, address: status.address, backend: status.tunnel?.type ?? null },
    facts: factsOf(status, at),
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
