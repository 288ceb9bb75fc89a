// What happened on this host since the daemon started, for `flanneld events` and the page: the last few hundred events, and
// whoever listens for more. Invariant: a bounded memory; an event costs no I/O.

/** Something that happened. `at` is milliseconds since 1970. */
export interface HappenedEvent {
  /** Counts up from 1 in one daemon's life. */
  readonly id: number
  readonly at: number
  readonly kind: 'repair' | 'conflict' | 'peer' | 'probe' | 'lease' | 'config' | 'store' | 'firewall' | 'ready'
  /** Whether somebody should look at it. */
  readonly bad: boolean
  /** The subnet of the peer it is about, if it is about one. */
  readonly peer?: string
  /** One line for people. */
  readonly text: string
}

/** So many are kept. */
const KEPT = 500

export class Events {
  readonly #kept: HappenedEvent[] = []
  readonly #listeners = new Set<(event: HappenedEvent) => void>()
  #last = 0

  /** Notes an event. */
  happened(
    kind: HappenedEvent['kind'],
    text: string,
    { bad = false, peer }: { bad?: boolean; peer?: string } = {},
  ): void {
    const event: HappenedEvent = {
      id: ++this.#last,
      at: Date.now(),
      kind,
      bad,
      ...(peer === undefined ? {} : { peer }),
      text,
    }
    this.#kept.push(event)
    if (this.#kept.length > KEPT) this.#kept.shift()
    for (const listener of this.#listeners) listener(event)
  }

  /** Those kept, oldest first. */
  get recent(): readonly HappenedEvent[] {
    return this.#kept
  }

  /** Calls `listener` for each from now on, until `signal` aborts. */
  follow(listener: (event: HappenedEvent) => void, signal: AbortSignal): void {
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener))
  }
}
