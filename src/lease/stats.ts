// The leases of a network in numbers, kept while they come and go: how many are refused and why, and how the range of
// subnets is used. Invariant: costs memory for reservations alone, which are few; etcd is not read.
import { equal } from '../equal.ts'
import type { Level } from '../health/conditions.ts'
import type { StoreEntry, StoreChange, WatchStep } from '../etcd/store.ts'
import { Counter } from '../counters.ts'
import { type SubnetRange, fits, sizeOf } from './allocate.ts'
import { decodeKey, subnetsFolder } from './codec.ts'
import type { PeerStep } from './peer-step.ts'
import type { Prefix } from '../ip/prefix.ts'
import { FAULTLESS } from './peer-check.ts'
import { refusalLevel } from './refusal-level.ts'
import { FAMILIES, valuesOf } from '../ip/by-family.ts'

/** How a range is used; `free` is what is left of it. */
export interface Usage {
  readonly leased: number
  /** Leases without an end. */
  readonly reserved: number
  /** Refused leases; their subnets count as taken. */
  readonly refused: number
  readonly free: number
}

/** A lease that is not believed: how much that matters, and why. */
export interface Unbelieved {
  readonly level: Level
  /** For people. */
  readonly text: string
}

/** The reason of a reservation whose host has not come yet: not a fault. */
const AWAITED = 'reserved'

/** Why a lease may be refused, by itself or because of another. A backend may add words of its own. */
export const REASONS = [
  'key',
  'json',
  'oversized',
  'outside-network',
  'own-subnet',
  'subnet-length',
  'overlap',
  'public-ip-ours',
  'public-ip',
  'backend-type',
  'backend-data',
  'vni',
  'mac',
  'duplicate-mac',
  'not-onlink',
  'bug',
  'shut-out',
] as const

/** The most refused leases whose details are kept. */
const DETAILS = 1000

/** Which leases are believed, read at any time. */
interface BelievedLeases {
  readonly peers: ReadonlyMap<Prefix, unknown>
  /** The reason by key of every refused lease. */
  readonly refused: ReadonlyMap<string, string>
}

export class LeaseStats {
  /** Leases that were refused, by reason; one refused again for another reason counts again. */
  readonly rejected = new Counter<string>(REASONS)
  readonly #reserved = new Set<string>()
  /** What is wrong with refused leases, by key; of some only when they are very many. */
  readonly #details = new Map<string, string>()
  #table: BelievedLeases = { peers: new Map(), refused: new Map() }
  #steps = 0
  /** The usage last asked for of each network, and of what. */
  readonly #counted = new Map<Prefix, { readonly asked: AskedUsage; readonly usage: Usage }>()

  /** Takes a step of the watch on `prefix`. The table has applied it; `result` is the outcome. */
  take(
    prefix: string,
    step: Exclude<WatchStep, { type: 'disconnected' }>,
    table: BelievedLeases,
    result: PeerStep,
  ): void {
    this.#table = table
    this.#steps++
    for (const { reason } of result.refused) if (!FAULTLESS.has(reason)) this.rejected.add(reason)
    for (const key of this.#details.keys()) if (!table.refused.has(key)) this.#details.delete(key)
    for (const { key, detail } of result.refused) if (this.#details.size < DETAILS) this.#details.set(key, detail)
    const folder = subnetsFolder(prefix)
    if (step.type === 'snapshot') {
      this.#reserved.clear()
      for (const entry of step.snapshot.entries) this.#note(folder, entry)
    } else {
      for (const change of step.changes) this.#noteChange(folder, change)
    }
  }

  /** Refused leases there are now, by reason. */
  get refused(): ReadonlyMap<string, string> {
    return this.#table.refused
  }

  /** Refused leases that an operator may want to check, by key. */
  get unbelieved(): ReadonlyMap<string, Unbelieved> {
    const unbelieved = new Map<string, Unbelieved>()
    for (const [key, reason] of this.#table.refused) {
      const detail = this.#details.get(key)
      const text = detail === undefined ? reason : `${reason}: ${detail}`
      if (!FAULTLESS.has(reason)) unbelieved.set(key, { level: refusalLevel(reason), text })
    }
    return unbelieved
  }

  /** Steps so far: while it is the same number, so are the leases. */
  get steps(): number {
    return this.#steps
  }

  /** How a range is used, by us (`own`) and by others. Cached until something changes. */
  usage(prefix: string, range: SubnetRange, own: Prefix): Usage {
    const asked = { steps: this.#steps, prefix, range, own }
    const known = this.#counted.get(range.network)
    if (known !== undefined && equal(known.asked, asked)) return known.usage
    const usage = this.#count(prefix, range, own)
    // One for each family; a network that was replaced goes with the first count of another.
    if (known === undefined && this.#counted.size >= FAMILIES.length) this.#counted.clear()
    this.#counted.set(range.network, { asked, usage })
    return usage
  }

  #count(prefix: string, range: SubnetRange, own: Prefix): Usage {
    const { peers, refused } = this.#table
    const believed = new Set([own, ...peers.keys()].filter((subnet) => fits(range, subnet)))
    const named = (key: string): Prefix | undefined => {
      const decoded = decodeKey(prefix, key)
      return decoded.ok ? valuesOf(decoded.value).find((subnet) => fits(range, subnet)) : undefined
    }
    const reserved = new Set<Prefix>()
    for (const key of this.#reserved) {
      const subnet = named(key)
      if (subnet !== undefined && (believed.has(subnet) || refused.get(key) === AWAITED)) reserved.add(subnet)
    }
    const taken = new Set([...believed, ...reserved])
    const unbelieved = new Set<Prefix>()
    for (const key of refused.keys()) {
      const subnet = named(key)
      if (subnet !== undefined && !taken.has(subnet)) unbelieved.add(subnet)
    }
    return {
      leased: taken.size - reserved.size,
      reserved: reserved.size,
      refused: unbelieved.size,
      free: Math.max(0, Number(sizeOf(range)) - taken.size - unbelieved.size),
    }
  }

  #noteChange(folder: string, change: StoreChange): void {
    if (change.type === 'put') this.#note(folder, change.entry)
    else this.#reserved.delete(change.key)
  }

  #note(folder: string, { key, lease }: StoreEntry): void {
    if (!key.startsWith(folder)) return
    if (lease === '0') this.#reserved.add(key)
    else this.#reserved.delete(key)
  }
}

/** What a count depends on. */
interface AskedUsage {
  readonly steps: number
  readonly prefix: string
  readonly range: SubnetRange
  readonly own: Prefix
}
