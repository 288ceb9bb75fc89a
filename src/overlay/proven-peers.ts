// The peers of a network with what probes prove of each. Invariant: what is proven holds for the lease that was probed: a lease that
// changes loses it. Networks in which nothing is proven pay nothing.
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { PeerChange } from '../lease/peer-step.ts'

/** The peers of one network by subnet. */
export class ProvenPeers implements ReadonlyMap<Prefix, Peer> {
  #leased: ReadonlyMap<Prefix, Peer> = new Map()
  /** Those of whom something is proven, as everyone sees them. */
  readonly #proven = new Map<Prefix, Peer>()

  /** All of them: the leased ones themselves while nothing is proven. */
  get all(): ReadonlyMap<Prefix, Peer> {
    return this.#proven.size === 0 ? this.#leased : this
  }

  /** Takes peers as leased, with those that changed; the changes as everyone sees them. */
  take(leased: ReadonlyMap<Prefix, Peer>, changes: readonly PeerChange[]): readonly PeerChange[] {
    this.#leased = leased
    if (this.#proven.size === 0) return changes
    return changes.map((change) => {
      const before = this.#proven.get(change.subnet)
      if (before === undefined) return change
      this.#proven.delete(change.subnet)
      return { ...change, before }
    })
  }

  /** Takes what is proven of a peer; the change, or undefined where it is none. */
  prove(subnet: Prefix, direct: boolean | undefined): PeerChange | undefined {
    const before = this.get(subnet)
    if (before === undefined || before.direct === direct) return undefined
    const after = { ...before, direct }
    this.#proven.set(subnet, after)
    return { subnet, before, after }
  }

  get size(): number {
    return this.#leased.size
  }

  get(subnet: Prefix): Peer | undefined {
    return this.#proven.get(subnet) ?? this.#leased.get(subnet)
  }

  has(subnet: Prefix): boolean {
    return this.#leased.has(subnet)
  }

  keys(): MapIterator<Prefix> {
    return this.#leased.keys()
  }

  *entries(): MapIterator<[Prefix, Peer]> {
    for (const [subnet, peer] of this.#leased) yield [subnet, this.#proven.get(subnet) ?? peer]
  }

  *values(): MapIterator<Peer> {
    for (const [, peer] of this.entries()) yield peer
  }

  [Symbol.iterator](): MapIterator<[Prefix, Peer]> {
    return this.entries()
  }

  forEach(use: (peer: Peer, subnet: Prefix, map: ReadonlyMap<Prefix, Peer>) => void): void {
    for (const [subnet, peer] of this) use(peer, subnet, this)
  }
}
