// What a change of the config leaves open for a while: peers have to hear of it first, and some follow it late.
// Invariant: only peers of that moment are late. A lease that is written later opens nothing, whatever it names.
import { bySubnet, receivesDirectly } from './doors.ts'
import type { LatePeer } from './change.ts'
import type { PlanInputs } from './inputs.ts'

/** So long after it peers may send as it was before. Milliseconds. */
const LATELY_MS = 10_000

/** Between two changes of rules that name peers, which take two programs. Milliseconds. */
export const DOORS_PAUSE_MS = 500

export class LateDoors {
  readonly #over: () => void
  #timer: NodeJS.Timeout | undefined

  /** Calls `over` when the time is up. */
  constructor(over: () => void) {
    this.#over = over
  }

  /** The inputs that follow on `before`, with what stays open; `peers` are those of this moment. */
  after(before: PlanInputs, next: PlanInputs, peers: Iterable<LatePeer>): PlanInputs {
    if (!receivesDirectly(before) || receivesDirectly(next)) return next
    const former = before.configuration.own.backend.type
    const formerly = new Map(bySubnet(next.change.formerly))
    // The lease of a peer tells of another backend, not of an option.
    if (former !== next.configuration.own.backend.type)
      for (const { subnet, publicAddress, type } of peers)
        if (type === former) formerly.set(subnet, { subnet, publicAddress, type })
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#over()
    }, LATELY_MS).unref()
    return { ...next, change: { lately: true, formerly: [...formerly.values()] } }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
