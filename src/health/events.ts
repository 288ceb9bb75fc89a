// What happened on this host since the daemon started, for `flanneld events` and the page: the last few hundred events, and
// listeners for new ones. Invariants: bounded memory; an event costs no I/O; a burst of one kind is summed up, so that it does not
// push out the others.
import { printable } from '../text/plain-text.ts'

/** What an event is about. */
const EVENT_KINDS = [
  'repair',
  'conflict',
  'peer',
  'probe',
  'lease',
  'config',
  'store',
  'firewall',
  'ready',
  'verdict',
] as const

/** Something that happened. `at` is milliseconds since 1970. */
export interface HappenedEvent {
  /** Counts up from 1 in one daemon's life. */
  readonly id: number
  readonly at: number
  readonly kind: (typeof EVENT_KINDS)[number]
  /** Whether an operator should look at it. */
  readonly bad: boolean
  /** The subnet of the peer it is about, if it is about one. */
  readonly peer?: string
  /** One line for people. */
  readonly text: string
}

/** How many are kept; of one kind `most` are reported within `ms` milliseconds, the others are counted. */
export interface EventLimits {
  readonly kept: number
  readonly most: number
  readonly ms: number
}

const LIMITS: EventLimits = { kept: 500, most: 30, ms: 10_000 }

/** The events of one kind in the present stretch of time. */
interface Stretch {
  /** performance.now */
  readonly began: number
  reported: number
  withheld: number
  bad: boolean
}

/** Where events are reported: what most parts of the daemon need of them. */
export type EventSink = Pick<Events, 'happened'>

export class Events {
  readonly #kept: HappenedEvent[] = []
  readonly #listeners = new Set<(event: HappenedEvent) => void>()
  readonly #stretches = new Map<HappenedEvent['kind'], Stretch>()
  readonly #limits: EventLimits
  #last = 0
  #failed: (error: unknown) => void = () => undefined

  constructor(limits = LIMITS) {
    this.#limits = limits
  }

  /** Calls `listener` with what fails in keeping or passing on an event: who reports one never sees that. */
  onFault(listener: (error: unknown) => void): void {
    this.#failed = listener
  }

  /** Notes an event. Never throws. */
  happened(kind: HappenedEvent['kind'], text: string, about: { bad?: boolean; peer?: string } = {}): void {
    this.#try(() => {
      this.#note(kind, text, about)
    })
  }

  #note(kind: HappenedEvent['kind'], text: string, { bad = false, peer }: { bad?: boolean; peer?: string }): void {
    const stretch = this.#stretchOf(kind)
    if (++stretch.reported > this.#limits.most) {
      stretch.bad ||= bad
      if (stretch.withheld++ === 0) this.#sumUpLater(kind, stretch)
      return
    }
    this.#report({ kind, bad, ...(peer === undefined ? {} : { peer }), text })
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

  #stretchOf(kind: HappenedEvent['kind']): Stretch {
    const known = this.#stretches.get(kind)
    // One with a sum to come ends with that sum.
    if (known !== undefined && (known.withheld > 0 || performance.now() - known.began < this.#limits.ms)) return known
    const fresh = { began: performance.now(), reported: 0, withheld: 0, bad: false }
    this.#stretches.set(kind, fresh)
    return fresh
  }

  #sumUpLater(kind: HappenedEvent['kind'], stretch: Stretch): void {
    setTimeout(() => {
      this.#try(() => {
        this.#sumUp(kind, stretch)
      })
    }, this.#limits.ms).unref()
  }

  #sumUp(kind: HappenedEvent['kind'], { withheld, bad }: Stretch): void {
    this.#stretches.delete(kind)
    this.#report({ kind, bad, text: `and ${withheld} more of this kind` })
  }

  #report(given: Omit<HappenedEvent, 'id' | 'at'>): void {
    const event = { id: ++this.#last, at: Date.now(), ...given, text: printable(given.text) }
    this.#kept.push(event)
    if (this.#kept.length > this.#limits.kept) this.#kept.splice(oldestOfMost(this.#kept), 1)
    for (const listener of this.#listeners)
      this.#try(() => {
        listener(event)
      })
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failed(error)
    }
  }
}

/** The index of the oldest event of the most frequent kind: a flood of one kind evicts only its own events. */
function oldestOfMost(events: readonly HappenedEvent[]): number {
  const counts = new Map<HappenedEvent['kind'], number>()
  for (const { kind } of events) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return events.findIndex(({ kind }) => counts.get(kind) === most)
}
