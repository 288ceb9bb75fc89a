// What was said to readers and not taken by them yet: one budget for all answers and streams of the process, so that a thousand
// slow readers cost no more than a few. Invariant: a text that many readers wait for is held, and counted, once.
import type { ServerResponse } from 'node:http'

/** The most bytes that may wait for all readers together. */
const UNREAD_BYTES = 32 << 20

/** How long a client may read nothing of a complete answer. Milliseconds. */
const UNTAKEN_MS = 30_000

/** The texts that wait, and who waits for them. When there are too many bytes, who is furthest behind is cut off first. */
export class Unread {
  readonly #most: number
  /** How many readers still wait for a text. */
  readonly #waited = new Map<Buffer, number>()
  /** What each reader has not taken yet, oldest first. */
  readonly #readers = new Map<ServerResponse, Buffer[]>()
  #bytes = 0

  /** `most` in bytes. */
  constructor(most = UNREAD_BYTES) {
    this.#most = most
  }

  /** The bytes that wait, each text counted once. */
  get bytes(): number {
    return this.#bytes
  }

  /** Says a part of an answer. A text that goes to several readers must be the same Buffer. */
  write(response: ServerResponse, text: Buffer): void {
    if (response.destroyed) return
    this.#hold(response, text)
    response.write(text, () => {
      this.#taken(response)
    })
    this.#relieve()
  }

  /** Says the last part. */
  end(response: ServerResponse, text: Buffer): void {
    if (response.destroyed) return
    this.#hold(response, text)
    response.socket?.setTimeout(UNTAKEN_MS)
    response.end(text)
    this.#relieve()
  }

  #hold(response: ServerResponse, text: Buffer): void {
    const queue = this.#readers.get(response)
    if (queue !== undefined) queue.push(text)
    else {
      this.#readers.set(response, [text])
      response.once('close', () => {
        this.#forget(response)
      })
    }
    const waited = this.#waited.get(text) ?? 0
    this.#waited.set(text, waited + 1)
    if (waited === 0) this.#bytes += text.length
  }

  /** A reader took its oldest text; one that was cut off has none. */
  #taken(response: ServerResponse): void {
    const text = this.#readers.get(response)?.shift()
    if (text !== undefined) this.#release(text)
  }

  #release(text: Buffer): void {
    const waited = this.#waited.get(text) ?? 0
    if (waited > 1) this.#waited.set(text, waited - 1)
    else if (this.#waited.delete(text)) this.#bytes -= text.length
  }

  #forget(response: ServerResponse): void {
    for (const text of this.#readers.get(response) ?? []) this.#release(text)
    this.#readers.delete(response)
  }

  /** A single text is sent whatever its size: at least one client has to get it. */
  #relieve(): void {
    while (this.#bytes > this.#most && this.#waited.size > 1 && this.cutFurthest());
  }

  /** Disconnects the client with the most unread bytes; false when none has any. `among`: only of those. */
  cutFurthest(among: (response: ServerResponse) => boolean = () => true): boolean {
    let [furthest, most] = [undefined as ServerResponse | undefined, 0]
    for (const [response, queue] of this.#readers) {
      const bytes = among(response) ? queue.reduce((sum, { length }) => sum + length, 0) : 0
      if (bytes > most) [furthest, most] = [response, bytes]
    }
    if (furthest === undefined) return false
    this.#forget(furthest)
    furthest.destroy()
    return true
  }
}
