// How often something happened in the last 24 hours, to ten minutes. Invariant: bounded memory, no timer.

/** The length of a slot, counted as one. Milliseconds. */
const SLOT_MS = 600_000
/** Slots of a day. */
const SLOTS = 144

export class Lately {
  readonly #slots = new Map<number, number>()

  /** Counts `times` more. `now` in milliseconds of performance.now. */
  noted(times: number, now = performance.now()): void {
    const slot = Math.floor(now / SLOT_MS)
    this.#slots.set(slot, (this.#slots.get(slot) ?? 0) + times)
    for (const old of this.#slots.keys()) if (old <= slot - SLOTS) this.#slots.delete(old)
  }

  /** How often in the last 24 hours. */
  count(now = performance.now()): number {
    const first = Math.floor(now / SLOT_MS) - SLOTS
    let sum = 0
    for (const [slot, times] of this.#slots) if (slot > first) sum += times
    return sum
  }
}
