// How much it matters to this host that a lease is refused, by the reason. Pure.
import type { Level } from '../health/conditions.ts'

/** What a lease contests that is this host's or a peer's; `bug`: it may be a good one that our code fails on. */
const FAULTS: ReadonlySet<string> = new Set(['own-subnet', 'public-ip-ours', 'duplicate-mac', 'bug'])

/** What the operator did himself. */
const NOTES: ReadonlySet<string> = new Set(['shut-out'])

/** The level of a refused lease. One that merely is no peer, is malformed or is of another network does no harm here. */
export function refusalLevel(reason: string): Level {
  return FAULTS.has(reason) ? 'fault' : NOTES.has(reason) ? 'note' : 'warning'
}
