// Telling readers of the page what changes, by server-sent events.
// Invariant: nothing is looked at while nobody listens, and never more often than once a second.
import { changeBetween, wholeOf } from './changes.ts'
import type { Part } from '../health/supervise.ts'
import type { PageChange, PageState } from './shape.ts'

/** Between two looks. Milliseconds. */
const PAUSE_MS = 1000
/** A look at many peers takes time: at least so many times that is left to the daemon's own work. */
const REST = 20

/** What is told: `settled` for who comes first, `look` from then on. */
interface Source {
  settled(): Promise<PageState>
  look(): PageState
}

export class Live {
  readonly #source: Source
  readonly #part: Pick<Part, 'guard'>
  readonly #readers = new Set<(change: PageChange) => void>()
  #last: PageState | undefined
  /** The whole of it, for who joins: one object, so that it is written out once. */
  #whole: PageChange | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(source: Source, part: Pick<Part, 'guard'>) {
    this.#source = source
    this.#part = part
  }

  /** Sends the whole state, then every change of it, until `gone` aborts. */
  async join(send: (change: PageChange) => void, gone: AbortSignal): Promise<void> {
    const first = this.#last ?? (await this.#source.settled())
    if (gone.aborted) return
    // Others may have come meanwhile: all are told the changes from one state on.
    this.#last ??= first
    send((this.#whole ??= wholeOf(this.#last)))
    this.#readers.add(send)
    gone.addEventListener('abort', () => {
      this.#leave(send)
    })
    if (this.#timer === undefined) this.#again(0)
  }

  #leave(send: (change: PageChange) => void): void {
    this.#readers.delete(send)
    if (this.#readers.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#last = undefined
    this.#whole = undefined
  }

  #again(tookMs: number): void {
    this.#timer = setTimeout(
      this.#part.guard(() => {
        this.#look()
      }),
      Math.max(PAUSE_MS, tookMs * REST),
    ).unref()
  }

  /** Whatever comes of a look, there is another one. */
  #look(): void {
    const began = performance.now()
    try {
      this.#tell()
    } finally {
      this.#again(performance.now() - began)
    }
  }

  #tell(): void {
    const after = this.#source.look()
    const change = this.#last === undefined ? wholeOf(after) : changeBetween(this.#last, after)
    this.#last = after
    this.#whole = undefined
    if (change !== undefined) for (const send of this.#readers) send(change)
  }
}
