// What stays open for a while after a change of the network config.
import type { Peer } from '../backend.ts'

/** A peer as its lease was at the time of the change. */
export type LatePeer = Pick<Peer, 'subnet' | 'publicAddress' | 'type'>

/** What stays open for a while after a change of the config. */
export interface OngoingChange {
  /** The config changed a moment ago, and peers may not have seen it yet. */
  readonly lately: boolean
  /** Peers whose leases named the former backend when the config changed, and still do: they keep sending by it. */
  readonly formerly: readonly LatePeer[]
}

export const NO_CHANGE: OngoingChange = { lately: false, formerly: [] }
