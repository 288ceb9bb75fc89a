// What a change of the config leaves open for a while: peers have to hear of it first, and some follow it late.
import { type Change, receivesDirectly } from './doors.ts'
import type { Inputs } from './host-plan.ts'

/** So long after it peers may send as it was before. Milliseconds. */
const LATELY_MS = 10_000

export class LateDoors {
  readonly #over: (change: Change) => void
  #timer: NodeJS.Timeout | undefined

  /** Calls `over` when the time is up. */
  constructor(over: (change: Change) => void) {
    this.#over = over
  }

  /** The inputs that follow on `before`, with what stays open. */
  after(before: Inputs, next: Inputs): Inputs {
    if (!receivesDirectly(before) || receivesDirectly(next)) return next
    const { type } = before.configuration.own.backend
    // The lease of a peer tells of another backend, not of an option.
    const late = type === next.configuration.own.backend.type ? [] : [type]
    const formerly = [...new Set([...next.change.formerly, ...late])]
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#over({ lately: false, formerly }), LATELY_MS).unref()
    return { ...next, change: { lately: true, formerly } }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
