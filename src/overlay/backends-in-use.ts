// The backends that peers use, or used until a moment ago. This host keeps receiving by them.
import type { PeerChange } from '../lease/peer-step.ts'

/** How long a backend is kept after its last peer left: packets in flight still arrive by it. Milliseconds. */
const LINGER_MS = 10_000

export class BackendsInUse {
  /** How many peers use each. */
  readonly #users = new Map<string, number>()
  /** Backends without peers, and until when they are kept (performance.now). */
  readonly #lingering = new Map<string, number>()
  readonly #over: () => void

  /** Calls `over` when a backend's time is up. */
  constructor(over: () => void) {
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
      if (before !== undefined) this.#count(before.type, -1)
      if (after !== undefined) this.#count(after.type, 1)
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
