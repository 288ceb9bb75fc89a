// The result of one step of the peer table: the peers that differ from before it and the leases newly refused.
// Invariant: what was undone within a step is not reported.
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import { printable } from '../text/plain-text.ts'
import { inPortions } from '../async/chunks.ts'
import { samePeer } from './peer-check.ts'

/** The most characters kept of what is wrong with a lease: another host may have written them. */
const MOST_DETAIL = 200

/** One peer before and after a step; undefined where there is none. */
export interface PeerChange {
  readonly subnet: Prefix
  readonly before: Peer | undefined
  readonly after: Peer | undefined
}

/** A lease that is skipped: `reason` is a short stable word, `detail` the offending value. */
export interface RefusedLease {
  readonly key: string
  readonly reason: string
  readonly detail: string
}

/** What a step changed. */
export interface PeerStep {
  readonly changes: readonly PeerChange[]
  /** Refused now and not before, or for another reason. */
  readonly refused: readonly RefusedLease[]
}

/** Notes taken during a step. */
export class StepNotes {
  #before = new Map<Prefix, Peer | undefined>()
  #refusals = new Map<string, RefusedLease>()

  /** What a subnet is before it is changed; the first note of a step counts. */
  touch(subnet: Prefix, peer: Peer | undefined): void {
    if (!this.#before.has(subnet)) this.#before.set(subnet, peer)
  }

  /** A lease is refused, for a reason it was not refused for before. */
  refuse(refusal: RefusedLease): void {
    this.#refusals.set(refusal.key, { ...refusal, detail: printable(refusal.detail, MOST_DETAIL) })
  }

  /** Ends the step. */
  finish(peers: ReadonlyMap<Prefix, Peer>, refused: ReadonlyMap<string, string>): PeerStep {
    const changes = [...this.#before].flatMap(([subnet, before]) => changeOf(subnet, before, peers.get(subnet)))
    return this.#end(changes, refused)
  }

  /** The same in portions, for a step as large as the cluster; no change may be recorded meanwhile. */
  async finishInPortions(peers: ReadonlyMap<Prefix, Peer>, refused: ReadonlyMap<string, string>): Promise<PeerStep> {
    const changes: PeerChange[] = []
    for await (const portion of inPortions([...this.#before.keys()]))
      for (const subnet of portion) changes.push(...changeOf(subnet, this.#before.get(subnet), peers.get(subnet)))
    return this.#end(changes, refused)
  }

  #end(changes: readonly PeerChange[], refused: ReadonlyMap<string, string>): PeerStep {
    const reported = [...this.#refusals.values()].filter(({ key, reason }) => refused.get(key) === reason)
    this.#before = new Map()
    this.#refusals = new Map()
    return { changes, refused: reported }
  }
}

function changeOf(subnet: Prefix, before: Peer | undefined, after: Peer | undefined): readonly PeerChange[] {
  const same = before === undefined || after === undefined ? before === after : samePeer(before, after)
  return same ? [] : [{ subnet, before, after }]
}
