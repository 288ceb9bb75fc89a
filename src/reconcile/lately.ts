// How often something happened in the last 24 hours. Invariant: bounded memory, no timer; ten minutes exact.

/** Milliseconds that are counted together. */
const SLOT_MS = 600_000
/** So many of them are a day. */
const SLOTS = 144

export class Lately {
  readonly #slots = new Map<number, number>()

  /** Notes that it happened `times`. `now` in performance.now's milliseconds. */
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
