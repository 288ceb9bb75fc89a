// Waiting that ends at once when a signal aborts, and the growing pauses between attempts.

/** The longest time that a timer of Node takes, in milliseconds; it fires at once for a longer one. */
export const LONGEST = 2 ** 31 - 1

/** A time as a timer takes it: 0 for one that has passed or is none. Node warns of any other. Pure. */
export function timerTime(milliseconds: number): number {
  return milliseconds > 0 ? Math.min(milliseconds, LONGEST) : 0
}

/** Whether a signal has aborted by now. A call: the compiler takes a property for unchanged across an `await`. */
export function hasAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

/** Resolves after `milliseconds`, or at once when `signal` aborts. Never rejects. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, timerTime(milliseconds))
    signal.addEventListener('abort', finish, { once: true })
  })
}

/** What `work` resolves to, or undefined as soon as `signal` aborts (a later rejection of `work` is dropped). */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    work.catch(() => undefined)
    return Promise.resolve(undefined)
  }
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      resolve(undefined)
    }
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort)
    })
  })
}

/** Pauses in milliseconds that double from `first` to `most`, each shortened by up to half at random, so that hosts spread out. */
export class Backoff {
  readonly #first: number
  readonly #most: number
  #next: number

  constructor(first: number, most: number) {
    this.#first = first
    this.#most = most
    this.#next = first
  }

  next(): number {
    const pause = this.#next * (0.5 + Math.random() / 2)
    this.#next = Math.min(this.#next * 2, this.#most)
    return pause
  }

  reset(): void {
    this.#next = this.#first
  }
}
