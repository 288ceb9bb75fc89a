// Keeps doors open for a while after a change of the config: peers have to see the change first, and some follow late.
// Invariant: only the peers of that moment can be late. A lease written later opens nothing, whatever it names.
import type { Prefix } from '../ip/prefix.ts'
import { leaseTypeOf } from '../lease/lease.ts'
import { bySubnet, receivesDirectly, stillLate } from './doors.ts'
import type { LatePeer } from './change.ts'
import type { PlanInputs } from './inputs.ts'
import type { Plan } from './plan.ts'

/** How long peers may send as before the change. Milliseconds. */
const LATELY_MS = 10_000

/** Between two changes of rules that name peers: each starts two programs. Milliseconds. */
export const DOORS_PAUSE_MS = 500

export class LateDoors {
  readonly #over: () => void
  #timer: NodeJS.Timeout | undefined

  /** Calls `over` when the time is up. */
  constructor(over: () => void) {
    this.#over = over
  }

  /** `next` with what stays open after the change from `before`. `peers` are the current ones. */
  after(before: PlanInputs, next: PlanInputs, peers: Iterable<LatePeer>): PlanInputs {
    if (!receivesDirectly(before) || receivesDirectly(next)) return next
    const former = leaseTypeOf(before.configuration.own.backend)
    const formerly = new Map(bySubnet(next.change.formerly))
    // A peer's lease shows a change of the backend, but not of an option.
    if (former !== leaseTypeOf(next.configuration.own.backend))
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

/** A plan that no longer waits for peers whose leases followed a change of the config. The rules follow with the next doors. */
export function withoutLate(plan: Plan, peers: ReadonlyMap<Prefix, LatePeer>): Plan {
  const { inputs } = plan
  const formerly = stillLate(inputs.change.formerly, peers)
  if (formerly === inputs.change.formerly) return plan
  return { ...plan, inputs: { ...inputs, change: { ...inputs.change, formerly } } }
}
