// The time of day to the microsecond. Date has milliseconds only; the process's own clock is finer, but does not follow when
// the system's clock is set.

/** Milliseconds since 1970 with a fraction. It follows `wallMs`, a clock of whole milliseconds, by the steady clock `steadyMs`. */
export class WallClock {
  readonly #wallMs: () => number
  readonly #steadyMs: () => number
  /** Wall time at steady time 0. */
  #origin: number

  constructor(wallMs = () => Date.now(), steadyMs = () => performance.now(), origin = performance.timeOrigin) {
    this.#wallMs = wallMs
    this.#steadyMs = steadyMs
    this.#origin = origin
  }

  now(): number {
    const wall = this.#wallMs()
    const steady = this.#steadyMs()
    const time = this.#origin + steady
    // Within Date's millisecond the steady clock is right; out of it, the system's clock was set or has drifted.
    const right = Math.min(Math.max(time, wall), wall + LAST_MICROSECOND)
    this.#origin = right - steady
    return right
  }
}

/** The last microsecond of a millisecond, in milliseconds. */
const LAST_MICROSECOND = 0.999
