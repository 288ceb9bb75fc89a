// Sends changes to the readers of the page, by server-sent events.
// Invariant: the state is read only while there are readers, and at most once a second.
import { changeBetween, wholeOf } from './changes.ts'
import type { SupervisedPart } from '../health/supervise.ts'
import type { PageChange, PageState } from './shape.ts'

/** Milliseconds between two reads. */
const PAUSE_MS = 1000
/** Reading many peers takes time. The pause is at least this many times as long, for the daemon's own work. */
const REST = 20

/** Where the state comes from: `settled` for the first reader, `look` from then on. */
interface Source {
  settled(): Promise<PageState>
  look(): PageState
}

export class Live {
  readonly #source: Source
  readonly #part: Pick<SupervisedPart, 'guard'>
  readonly #readers = new Set<(change: PageChange) => void>()
  #last: PageState | undefined
  /** The complete state for readers that join: one object, so that it is serialized once. */
  #whole: PageChange | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(source: Source, part: Pick<SupervisedPart, 'guard'>) {
    this.#source = source
    this.#part = part
  }

  /** Sends the complete state, then every change, until `gone` aborts. */
  async join(send: (change: PageChange) => void, gone: AbortSignal): Promise<void> {
    const first = this.#last ?? (await this.#source.settled())
    if (gone.aborted) return
    // Others may have joined in the meantime: all get the changes since one common state.
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

  /** Reads the state, and again later even if that throws. */
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
