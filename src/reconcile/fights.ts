// Repairs that do not end: another program keeps changing an object that we keep repairing. A few repairs are normal; a rate
// that does not fall is a fault of that object.
// Invariant: bounded memory, no timer, no I/O.

/** An object is contested when it was repaired `times` within `ms`. */
const RATES: readonly { readonly ms: number; readonly times: number }[] = [
  { ms: 60_000, times: 20 },
  { ms: 600_000, times: 40 },
  { ms: 3_600_000, times: 60 },
]
const LONGEST_MS = 3_600_000
/** A fight is over after this long without a repair, or after three times the average gap of the last few. */
const QUIET_MS = 60_000
const LAST = 10
/** The most repairs kept of an object, and the most objects: the latest ones. */
const KEPT = 60
const OBJECTS = 64

export class Fights {
  /** When each object was repaired, by its text; the object repaired last is last. */
  readonly #times = new Map<string, number[]>()
  #over: string | undefined

  /** Counts a repair. `now` in milliseconds of performance.now. */
  noted(object: string, now = performance.now()): void {
    const times = this.#times.get(object) ?? []
    this.#times.delete(object)
    this.#times.set(object, [...times, now].slice(-KEPT))
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= OBJECTS) break
      this.#times.delete(oldest)
    }
  }

  /** The contested object, the same one until its fight is over; undefined: none. */
  current(now = performance.now()): string | undefined {
    for (const [object, times] of this.#times) if ((times.at(-1) ?? 0) < now - LONGEST_MS) this.#times.delete(object)
    if (this.#over !== undefined && this.#isQuiet(this.#over, now)) this.#over = undefined
    this.#over ??= [...this.#times.keys()].find((object) => this.#isContested(object, now))
    return this.#over
  }

  #isContested(object: string, now: number): boolean {
    if (this.#isQuiet(object, now)) return false
    const times = this.#times.get(object) ?? []
    return RATES.some((rate) => times.filter((at) => at > now - rate.ms).length >= rate.times)
  }

  #isQuiet(object: string, now: number): boolean {
    const times = (this.#times.get(object) ?? []).slice(-LAST)
    const [first = 0, last = 0] = [times[0], times.at(-1)]
    return now - last > Math.max(QUIET_MS, (3 * (last - first)) / Math.max(times.length - 1, 1))
  }
}
