// What a step of following the leases reports: log lines, and events for the operator.
// Invariants: however many peers a step changes, the lines are bounded; the peers found at the start are one event; however
// often one host writes its lease, its lines are bounded and the other hosts are still reported.
import type { EventSink } from '../health/events.ts'
import { FAULTLESS } from '../lease/peer-check.ts'
import type { PeerChange, PeerStep, RefusedLease } from '../lease/peer-step.ts'
import { type BudgetLimits, LineBudget, type Withheld } from '../text/line-budget.ts'
import { type Log } from '../log.ts'
import { printable } from '../text/plain-text.ts'

/** The most peers that get a line of their own in one step. */
const LINES = 10
/** The most refused leases that do: each is a fault to be found. */
const REFUSALS = 100
/** In the long run. A very large cluster may start with a hundred refused leases and some changes. */
const LIMITS: BudgetLimits = {
  each: { burst: 10, everyMs: 60_000 },
  all: { burst: 300, everyMs: 5_000 },
  subjects: 1_000,
  sumMs: 60_000,
}

export class PeerEvents {
  readonly #log: Log
  readonly #events: EventSink
  readonly #budget: LineBudget

  constructor(log: Log, events: EventSink, limits = LIMITS) {
    this.#log = log
    this.#events = events
    this.#budget = new LineBudget(limits, (withheld) => {
      this.#sumUp(withheld)
    })
  }

  /** Reports a step, the `first` one or a later one. */
  say(step: PeerStep, which: 'first' | 'later'): void {
    this.#refusals(step.refused)
    const { changes } = step
    for (const { subnet, text } of changes.slice(0, LINES).map(eventOf)) {
      if (!this.#budget.allows(subnet)) continue
      this.#log.info(`peer ${text}`)
      if (which === 'later') this.#events.happened('peer', text, { peer: subnet })
    }
    if (changes.length <= LINES || !this.#budget.allows('steps')) return
    const text = `and ${changes.length - LINES} more peers changed`
    this.#log.info(text)
    if (which === 'later') this.#events.happened('peer', text)
  }

  /** The first listing is complete. */
  complete(peers: number, revision: bigint): void {
    this.#log.info(`${peers} peers at revision ${revision}`)
    this.#events.happened('peer', `${peers} ${peers === 1 ? 'peer' : 'peers'} at the start`)
  }

  #refusals(refused: readonly RefusedLease[]): void {
    for (const [at, { key, reason, detail }] of refused.slice(0, REFUSALS).entries()) {
      if (!this.#budget.allows(key)) continue
      const text = `lease refused: ${printable(key, 120)}: ${reason}: ${detail}`
      this.#log[FAULTLESS.has(reason) ? 'info' : 'warn'](text)
      if (at < LINES) this.#events.happened('peer', text, { bad: !FAULTLESS.has(reason) })
    }
    if (refused.length > REFUSALS && this.#budget.allows('refusals'))
      this.#log.warn(`lease refused: and ${refused.length - REFUSALS} more`)
    if (refused.length <= LINES || !this.#budget.allows('refused events')) return
    const text = `${refused.length - LINES} more leases refused: flanneld peers lists them`
    this.#events.happened('peer', text, { bad: true })
  }

  #sumUp({ bySubject, lines }: Withheld): void {
    const most = [...bySubject].reduce<readonly [string, number]>((a, b) => (b[1] > a[1] ? b : a), ['', 0])
    const [subject, count] = most
    const text = `${lines} more changes of peers and refused leases, not reported one by one: ${count} of ${printable(subject, 120)}`
    this.#log.warn(text)
    this.#events.happened('peer', text, { bad: true })
  }
}

function eventOf({ subnet, before, after }: PeerChange): { readonly subnet: string; readonly text: string } {
  const what = before === undefined ? 'joined' : after === undefined ? 'left' : 'changed'
  const peer = after ?? before
  return { subnet, text: `${subnet} ${what}: ${peer?.type ?? ''} ${peer?.publicAddress ?? ''}` }
}
