// Good leases of a subnet that an older key holds: they wait, and the oldest follows when that one goes. Pure.
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'

/** A lease that is good by itself. */
export interface Contestant {
  readonly key: string
  readonly peer: Peer
  /** Revision at which its key was created. */
  readonly created: number
  /** Revision since when it claims what only one host may have: that of its creation, or of a later write. */
  readonly claimed: number
}

export class Waiting {
  /** By subnet and key. */
  readonly #candidates = new Map<Prefix, Map<string, Contestant>>()

  add(candidate: Contestant): void {
    const { subnet } = candidate.peer
    const waiting = this.#candidates.get(subnet) ?? new Map<string, Contestant>()
    this.#candidates.set(subnet, waiting.set(candidate.key, candidate))
  }

  remove(subnet: Prefix, key: string): void {
    const waiting = this.#candidates.get(subnet)
    if (waiting?.delete(key) === true && waiting.size === 0) this.#candidates.delete(subnet)
  }

  /** One of them. */
  find(subnet: Prefix, key: string): Contestant | undefined {
    return this.#candidates.get(subnet)?.get(key)
  }

  /** The one that follows. */
  oldest(subnet: Prefix): Contestant | undefined {
    let oldest: Contestant | undefined
    for (const candidate of this.#candidates.get(subnet)?.values() ?? []) {
      if (oldest === undefined || byAge(candidate, oldest) < 0) oldest = candidate
    }
    return oldest
  }

  /** All of them. */
  get all(): readonly Contestant[] {
    return [...this.#candidates.values()].flatMap((waiting) => [...waiting.values()])
  }
}

/** Orders the oldest first; of two created in one transaction the lesser key. */
export function byAge(a: Pick<Contestant, 'key' | 'created'>, b: Pick<Contestant, 'key' | 'created'>): number {
  return a.created - b.created || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}
