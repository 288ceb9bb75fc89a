// Which key holds a subnet, and since when. Kept small, for there are as many as hosts. Pure.
import type { Peer } from '../backend.ts'
import type { StoreEntry } from '../etcd/store.ts'
import type { Address } from '../ip/address.ts'
import { onlySubnet } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import { encodeKey } from './codec.ts'
import type { Contestant } from './waiting.ts'

/** How old a lease is, and its claim to what only one host may have: revisions. */
export type Age = Pick<Contestant, 'created' | 'claimed'>

/** The age of a lease that is written. `before`: since when its key is known to claim the same, or that it claimed another. */
export function ageOf({ createRevision, modRevision }: StoreEntry, before: number | 'another' | undefined): Age {
  const created = Number(createRevision)
  // A key that was deleted and written again within a moment is the lease it was.
  return { created, claimed: before === 'another' ? Number(modRevision) : (before ?? created) }
}

/** Public addresses that more than one of these peers has. */
export function sharedBy(peers: Iterable<Peer>): ReadonlyMap<Address, readonly Prefix[]> {
  const subnets = new Map<Address, Prefix[]>()
  for (const { publicAddress, subnet } of peers)
    subnets.set(publicAddress, [...(subnets.get(publicAddress) ?? []), subnet])
  for (const [address, list] of subnets) if (list.length === 1) subnets.delete(address)
  return subnets
}

export class Holders {
  readonly #prefix: string
  /** When the holder of a subnet was created. */
  readonly #created = new Map<Prefix, number>()
  /** Since when a holder claims what it claims, where that is not its creation. */
  readonly #claimed = new Map<Prefix, number>()
  /** The key of a holder where it is not the plain one of its subnet (in dual stack). */
  readonly #oddKeys = new Map<Prefix, string>()

  /** `prefix` is the etcd prefix of the network. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  has(subnet: Prefix): boolean {
    return this.#created.has(subnet)
  }

  /** All subnets that are held. */
  get subnets(): readonly Prefix[] {
    return [...this.#created.keys()]
  }

  /** The key of a holder; the plain key where the subnet is free. */
  keyOf(subnet: Prefix): string {
    return this.#oddKeys.get(subnet) ?? this.#plainKey(subnet)
  }

  ageOf(subnet: Prefix): Age {
    const created = this.#created.get(subnet) ?? 0
    return { created, claimed: this.#claimed.get(subnet) ?? created }
  }

  set({ key, peer: { subnet }, created, claimed }: Contestant): void {
    this.#created.set(subnet, created)
    if (claimed === created) this.#claimed.delete(subnet)
    else this.#claimed.set(subnet, claimed)
    if (key === this.#plainKey(subnet)) this.#oddKeys.delete(subnet)
    else this.#oddKeys.set(subnet, key)
  }

  delete(subnet: Prefix): void {
    for (const map of [this.#created, this.#claimed, this.#oddKeys]) map.delete(subnet)
  }

  #plainKey(subnet: Prefix): string {
    return encodeKey(this.#prefix, onlySubnet(subnet))
  }
}
