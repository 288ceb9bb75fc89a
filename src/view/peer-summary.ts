// The peers in numbers, and those in trouble by name. Invariant: peers are counted in portions, and only the few that are named
// are looked at closely, so that thousands of them do not hold up the event loop.
import type { PeerCounts, PeerView } from './status-shape.ts'
import type { Peer } from '../backend.ts'
import { inPortions } from '../async/chunks.ts'
import { UNPROBED, isTrouble, refusedOf, viewsOf, worstFirst } from './peers.ts'
import { healthOfHost, partnerOf, standsForHost } from './hosts.ts'
import type { Session } from '../overlay/session.ts'
import type { Running } from './running-daemon.ts'

/** The peers of a host. */
export interface PeerSummary {
  readonly counts: PeerCounts
  /** Those in trouble and leases whose refusal is a fault, the worst first, TROUBLED at most. */
  readonly troubled: readonly PeerView[]
  /** Peers to which packets of the network's MTU are known to get. */
  readonly proven: number
}

/** The most that are named. */
const TROUBLED = 20
/** The most that are sorted to find those: of thousands in trouble any will do. */
const SORTED = 1000

const NONE = { up: 0, degraded: 0, unreachable: 0, unknown: 0, refused: 0 }

/** Before there is a lease. */
export const NO_PEERS: PeerSummary = { counts: { total: 0, inTrouble: 0, ...NONE }, troubled: [], proven: 0 }

/** Counts the hosts. */
export async function summaryOf(running: Running): Promise<PeerSummary> {
  const { sessions, prober } = running
  const counts = { ...NONE }
  let proven = 0
  let inTrouble = 0
  const found: Found[] = []
  for (const session of sessions) {
    const { mtu } = session.plan.subnetEnv
    for await (const portion of inPortions([...session.peers.values()])) {
      for (const peer of portion) {
        const partner = partnerOf(peer, session.peers)
        if (!standsForHost(peer, partner)) continue
        const health = healthOfHost(prober, peer, partner)
        const { state } = health
        counts[state]++
        if (health.pathMtu >= mtu) proven++
        if (!isTrouble({ state, level: null })) continue
        inTrouble++
        if (found.length < SORTED) found.push({ session, peer, state })
      }
    }
  }
  const total = counts.up + counts.degraded + counts.unreachable + counts.unknown
  const refused = refusedOf(running)
  counts.refused = refused.length
  const faults = refused.filter(isTrouble)
  const troubled = worst(running, found, faults)
  return { counts: { total, inTrouble: inTrouble + faults.length, ...counts }, troubled, proven }
}

/** A peer in trouble, and its network. */
interface Found {
  readonly session: Session
  readonly peer: Peer
  readonly state: PeerView['state']
}

function worst(running: Running, found: readonly Found[], refused: readonly PeerView[]): readonly PeerView[] {
  const peers = new Map<PeerView, Found>()
  for (const one of found)
    peers.set({ ...UNPROBED, subnet: one.peer.subnet, publicAddress: null, via: '', state: one.state }, one)
  const first = worstFirst([...peers.keys(), ...refused]).slice(0, TROUBLED)
  return first.flatMap((view) => {
    const one = peers.get(view)
    return one === undefined ? [view] : viewsOf(running, one.session, [one.peer])
  })
}
