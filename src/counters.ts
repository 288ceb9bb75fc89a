// Counting at the price of an addition: plain values that any part may feed, read when metrics are requested.
// Invariant: a count never goes down; labels come from a set that is small and known beforehand.

/** Counts by one label. */
export class Counter<Label extends string = string> {
  readonly #counts = new Map<string, number>()

  /** These labels are shown as 0 until they are counted: a rate needs something to rise from. */
  constructor(labels: readonly Label[] = []) {
    for (const label of labels) this.#counts.set(label, 0)
  }

  add(label: Label, by = 1): void {
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + by)
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }
}

/** How often values came to lie below each bound. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0

  /** `bounds` in rising order; beyond the last there is one more bucket. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound)
    const at = found < 0 ? this.#bounds.length : found
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
  }

  /** Each bound with how many values were no larger; the last is Infinity with all of them. */
  get buckets(): readonly (readonly [bound: number, count: number])[] {
    let count = 0
    return [...this.#bounds, Infinity].map((bound, at) => [bound, (count += this.#counts[at] ?? 0)] as const)
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0)
  }

  get sum(): number {
    return this.#sum
  }
}
