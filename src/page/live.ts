// Telling readers of the page what changes, by server-sent events.
// Invariant: nothing is looked at while nobody listens, and never more often than once a second.
import { changeBetween, wholeOf } from './changes.ts'
import type { PageChange, PageState } from './shape.ts'

/** Between two looks. Milliseconds. */
const PAUSE_MS = 1000
/** A look at many peers takes time: at least so many times that is left to the daemon's own work. */
const REST = 20
/** A look that waits for a silent etcd is no work: no longer than this between two. Milliseconds. */
const LONGEST_MS = 5000

export class Live {
  readonly #look: () => Promise<PageState>
  readonly #readers = new Set<(change: PageChange) => void>()
  #last: PageState | undefined
  #timer: NodeJS.Timeout | undefined

  /** `look` gathers the state as it is now. */
  constructor(look: () => Promise<PageState>) {
    this.#look = look
  }

  /** Sends the whole state, then every change of it, until `gone` aborts. */
  join(send: (change: PageChange) => void, gone: AbortSignal): void {
    // Whoever comes before the first look is done hears of it with the others.
    if (this.#last !== undefined) send(wholeOf(this.#last))
    this.#readers.add(send)
    gone.addEventListener('abort', () => this.#leave(send))
    this.#timer ??= setTimeout(() => void this.#tell(), 0)
  }

  #leave(send: (change: PageChange) => void): void {
    this.#readers.delete(send)
    if (this.#readers.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#last = undefined
  }

  #again(tookMs: number): void {
    if (this.#readers.size === 0) return
    this.#timer = setTimeout(() => void this.#tell(), Math.min(LONGEST_MS, Math.max(PAUSE_MS, tookMs * REST))).unref()
  }

  async #tell(): Promise<void> {
    const began = performance.now()
    const timer = this.#timer
    const after = await this.#look().catch(() => undefined)
    // All have left meanwhile, and others may have come.
    if (timer !== this.#timer) return
    const before = this.#last
    if (after !== undefined) {
      this.#last = after
      const change = before === undefined ? wholeOf(after) : changeBetween(before, after)
      if (change !== undefined) for (const send of this.#readers) send(change)
    }
    this.#again(performance.now() - began)
  }
}
