// Repairs that do not end: another program keeps changing what we keep putting right. One repair heals; a rate of them that
// does not fall is a fault, and it has a name: the object.
// Invariant: bounded memory, no timer, no I/O.

/** An object is fought over that was repaired `times` within `ms`. */
const RATES: readonly { readonly ms: number; readonly times: number }[] = [
  { ms: 60_000, times: 20 },
  { ms: 600_000, times: 40 },
  { ms: 3_600_000, times: 60 },
]
const LONGEST_MS = 3_600_000
/** A fight is over when nothing came for so long, or for three times as long as it took between the last few. */
const QUIET_MS = 60_000
const LAST = 10
/** Times kept of an object, and objects: those repaired last. */
const KEPT = 60
const OBJECTS = 64

export class Fights {
  /** When each object was repaired, by its name for people; the one repaired last is the last. */
  readonly #times = new Map<string, number[]>()
  #over: string | undefined

  /** Notes a repair. `now` in performance.now's milliseconds. */
  noted(object: string, now = performance.now()): void {
    const times = this.#times.get(object) ?? []
    this.#times.delete(object)
    this.#times.set(object, [...times, now].slice(-KEPT))
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= OBJECTS) break
      this.#times.delete(oldest)
    }
  }

  /** The object that is fought over, the same one while that goes on; undefined: none. */
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
