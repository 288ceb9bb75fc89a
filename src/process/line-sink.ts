// Where the log's lines go: a stream whose reader may be slow, gone, or a full disk.
// Invariants: a line that cannot be written is counted and dropped, and never ends or stops the daemon; what waits for a
// reader is bounded; when lines go through again, it is said how many were lost.
import type { Writable } from 'node:stream'

/** The part of a stream that is used. */
interface Stream {
  readonly writableLength: number
  on(event: 'error', listener: () => void): unknown
  write(text: string, done: (error?: Error | null) => void): unknown
}

/** Bytes that wait for a slow reader at most. */
const MOST_WAITING = 1 << 20

export class LineSink {
  readonly #stream: Stream
  readonly #most: number
  readonly #back: (lost: number, why: string) => void
  #lost = 0
  #why = ''

  /** `back` is called once lines are written after some were lost. */
  constructor(stream: Stream, back: (lost: number, why: string) => void, most = MOST_WAITING) {
    this.#stream = stream
    this.#back = back
    this.#most = most
    // Each failed write is reported to its callback as well.
    stream.on('error', () => undefined)
  }

  /** Lines lost since the last that went through. */
  get lost(): number {
    return this.#lost
  }

  write(line: string): void {
    if (this.#stream.writableLength > this.#most) {
      this.#miss('the reader is too slow')
      return
    }
    try {
      this.#stream.write(line, (error) => {
        if (error !== null && error !== undefined) this.#miss((error as NodeJS.ErrnoException).code ?? error.message)
        else this.#went()
      })
    } catch (error) {
      this.#miss(String((error as NodeJS.ErrnoException).code))
    }
  }

  #miss(why: string): void {
    this.#lost++
    this.#why = why
  }

  #went(): void {
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.#back(lost, this.#why)
  }
}

/** Resolves when everything written has gone out, or cannot. */
export function flushed(stream: Writable): Promise<void> {
  if (stream.writableLength === 0) return Promise.resolve()
  return new Promise((resolve) =>
    stream.write('', () => {
      resolve()
    }),
  )
}
