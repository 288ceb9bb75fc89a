// What a change of the network config leaves open for a while.
import type { Peer } from '../backend.ts'

/** A peer as its lease was at the change. */
export type LatePeer = Pick<Peer, 'subnet' | 'publicAddress' | 'type'>

/** What a change of the config leaves open for a while. */
export interface OngoingChange {
  /** The config was another one a moment ago, and peers may not have heard of it yet. */
  readonly lately: boolean
  /** Peers whose leases named the former backend when the config changed, and still do: they go on sending by it. */
  readonly formerly: readonly LatePeer[]
}

export const NO_CHANGE: OngoingChange = { lately: false, formerly: [] }
