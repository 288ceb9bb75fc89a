// Deletions of leases that wait a moment before they are acted on: a host whose key was deleted by mistake writes it again within
// a tenth of a second, and its peers need not withdraw and program it meanwhile.
// One whose host has another lease by then has moved: waiting would keep two leases for it.
// Invariants: nothing but a deletion waits; a key that is written again is never deleted; each waits once, whatever is
// reported about it meanwhile.
import type { StoreChange } from '../etcd/store.ts'
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'
import { decodeKey, decodeValue } from './codec.ts'
import { valuesOf } from '../ip/by-family.ts'

/** How long a deletion waits: a host that leaves is gone within a second. Milliseconds. */
const DEPARTURE_MS = 500

type Deletion = StoreChange & { readonly type: 'delete' }

export class Departures {
  readonly #act: (gone: readonly Deletion[]) => void
  readonly #ms: number
  readonly #signal: AbortSignal
  /** By key, the oldest first; `due` by performance.now. */
  readonly #waiting = new Map<string, { readonly deletion: Deletion; readonly due: number }>()
  #timer: NodeJS.Timeout | undefined

  /** `act` is called with what stays deleted. */
  constructor(act: (gone: readonly Deletion[]) => void, signal: AbortSignal, ms = DEPARTURE_MS) {
    this.#act = act
    this.#signal = signal
    this.#ms = ms
  }

  /** Takes changes in their order; returns those to act on at once: all but deletions, and deletions of `moved` keys. */
  take(changes: readonly StoreChange[], moved: ReadonlySet<string> = new Set()): readonly StoreChange[] {
    const atOnce = changes.filter((change) => {
      const waits = change.type === 'delete' && !moved.has(change.key)
      if (waits) this.#wait(change)
      else this.#waiting.delete(change.type === 'delete' ? change.key : change.entry.key)
      return !waits
    })
    this.#plan()
    return atOnce
  }

  /** Takes a listing: the keys in it, and those that are known and not in it. */
  listed(present: ReadonlySet<string>, absent: readonly string[], revision: string): void {
    for (const key of this.#waiting.keys()) if (present.has(key)) this.#waiting.delete(key)
    for (const key of absent) this.#wait({ type: 'delete', key, modRevision: revision })
    this.#plan()
  }

  /** Drops the waiting deletions: etcd lost the keys, their hosts did not leave. */
  forget(): void {
    this.#waiting.clear()
    this.#plan()
  }

  #wait(deletion: Deletion): void {
    if (!this.#waiting.has(deletion.key))
      this.#waiting.set(deletion.key, { deletion, due: performance.now() + this.#ms })
  }

  #plan(): void {
    clearTimeout(this.#timer)
    const [first] = this.#waiting.values()
    if (first === undefined || this.#signal.aborted) return
    this.#timer = setTimeout(
      () => {
        this.#over()
      },
      Math.max(0, first.due - performance.now()),
    ).unref()
  }

  #over(): void {
    const now = performance.now()
    const gone = [...this.#waiting.values()].filter(({ due }) => due <= now).map(({ deletion }) => deletion)
    for (const { key } of gone) this.#waiting.delete(key)
    if (gone.length > 0 && !this.#signal.aborted) this.#act(gone)
    this.#plan()
  }
}

/** The keys deleted by these changes whose hosts have another lease, now or by the same changes. */
export function movedBy(
  changes: readonly StoreChange[],
  prefix: string,
  peers: ReadonlyMap<Prefix, { readonly publicAddress: Address }>,
): ReadonlySet<string> {
  const leaving = new Map<Prefix, string>()
  const addresses = new Set<Address>()
  for (const change of changes) {
    if (change.type === 'put') {
      const value = decodeValue(change.entry.value)
      for (const address of value.ok ? valuesOf(value.value.addresses) : []) addresses.add(address)
    } else {
      const key = decodeKey(prefix, change.key)
      for (const subnet of key.ok ? valuesOf(key.value) : []) if (peers.has(subnet)) leaving.set(subnet, change.key)
    }
  }
  if (leaving.size === 0) return new Set()
  for (const [subnet, { publicAddress }] of peers) if (!leaving.has(subnet)) addresses.add(publicAddress)
  const moved = [...leaving].filter(([subnet]) => {
    const address = peers.get(subnet)?.publicAddress
    return address !== undefined && addresses.has(address)
  })
  return new Set(moved.map(([, key]) => key))
}
