// The backends that peers use, or used until a moment ago. This host keeps receiving by them.
import type { AnyBackend, Peer } from '../backend.ts'
import type { PeerChange } from '../lease/peer-step.ts'

/** How long a backend is kept after its last peer left: packets in flight still arrive by it. Milliseconds. */
const LINGER_MS = 10_000

export class BackendsInUse {
  /** How many peers use each. */
  readonly #users = new Map<string, number>()
  /** Backends without peers, and until when they are kept (performance.now). */
  readonly #lingering = new Map<string, number>()
  readonly #backends: readonly AnyBackend[]
  readonly #over: () => void

  /** `backends` are all there are. Calls `over` when a backend's time is up. */
  constructor(backends: readonly AnyBackend[], over: () => void) {
    this.#backends = backends
    this.#over = over
  }

  /** The types, sorted. */
  get types(): readonly string[] {
    const now = performance.now()
    for (const [type, until] of this.#lingering) if (until <= now) this.#lingering.delete(type)
    return [...new Set([...this.#users.keys(), ...this.#lingering.keys()])].toSorted()
  }

  /** Counts peers that changed. */
  change(changes: readonly PeerChange[]): void {
    for (const { before, after } of changes) {
      if (before !== undefined) for (const type of typesOf(before, this.#backends)) this.#count(type, -1)
      if (after !== undefined) for (const type of typesOf(after, this.#backends)) this.#count(type, 1)
    }
  }

  /** Our own lease no longer names this backend; it is kept for a while. */
  linger(type: string): void {
    this.#lingering.set(type, performance.now() + LINGER_MS)
    setTimeout(this.#over, LINGER_MS + 50).unref()
  }

  #count(type: string, by: 1 | -1): void {
    const users = (this.#users.get(type) ?? 0) + by
    if (users > 0) {
      this.#users.set(type, users)
    } else {
      this.#users.delete(type)
      this.linger(type)
    }
  }
}

/** The backends by which a peer may send to us. By its lease alone, whatever our own backend is: what is counted has to be counted off. */
export function typesOf({ type, data }: Peer, backends: readonly AnyBackend[]): readonly string[] {
  const also = backends.flatMap((backend) => (backend.leaseType === type ? (backend.sendsAlsoBy?.(data) ?? []) : []))
  return also.length === 0 ? [type] : [type, ...also]
}
