// How long a call to etcd may take: learned from how long calls take, so that an etcd that is slow but answers is waited for.
// Invariant: never less than at first; what was given up too early is given twice the time next, an hour's silence no more.

/** No call waits longer. Milliseconds. */
const MOST = 60_000

export class Patience {
  readonly #least: number
  #limit: number

  /** `least` is the time that a healthy etcd is given, in milliseconds. */
  constructor(least: number) {
    this.#least = least
    this.#limit = least
  }

  /** How long a call made now may take, in milliseconds. */
  get limit(): number {
    return this.#limit
  }

  /** A call was answered after this many milliseconds. Short answers between long ones shorten the limit only slowly. */
  answered(took: number): void {
    this.#limit = Math.min(MOST, Math.max(this.#least, took * 3, this.#limit * 0.8))
  }

  /** A call was given up after `limit` milliseconds though etcd lives. Calls that fail at once count as one. */
  tooShort(limit: number): void {
    this.#limit = Math.max(this.#limit, Math.min(MOST, limit * 2))
  }
}
