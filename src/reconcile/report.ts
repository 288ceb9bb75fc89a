// What the reconciler did: counts since the start for metrics and status, and log lines on transitions only.
import type { ObjectConflict } from '../kernel/diff.ts'
import type { KernelChange, Failure } from '../kernel/kernel.ts'
import { brief, showObject } from '../kernel/show.ts'
import { KINDS, type Kind, keyOf } from '../kernel/state.ts'
import { counted } from '../text/counted.ts'
import type { EventSink } from '../health/events.ts'
import type { Log } from '../log.ts'
import { Fights } from './fights.ts'
import { Lately } from './lately.ts'
import { Counter, Histogram } from '../counters.ts'

/** Why the kernel has to be read again; only drift and audits count as repairs. */
export type Staleness = 'intent' | 'drift' | 'audit' | 'retry'

/** What a pass did to one kind. `why`: the reason it was read; undefined when only changed peers were compared. */
export interface Work {
  readonly why: Staleness | undefined
  readonly changes: number
  /** Changes that repaired what another program did, and the first of them. Changes that joining or leaving peers need do not count. */
  readonly repairs: number
  readonly first: KernelChange | undefined
  /** Repairs the kernel refused. */
  readonly refused: number
}

/** The most log lines about repairs in REPAIR_LINE_MS: a program that fights us must not fill the log. */
const REPAIR_LINES = 12
const REPAIR_LINE_MS = 10_000
/** Seconds: a pass over one peer takes a millisecond, the first one over 60,000 some seconds. */
const PASS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** What another program did, by the change that repairs it. */
const THEIRS: Readonly<Record<KernelChange['verb'], string>> = {
  add: 'deleted',
  replace: 'changed',
  recreate: 'changed',
  delete: 'added',
}

export class Report {
  readonly #log: Log
  readonly #events: EventSink | undefined
  readonly #failing = new Map<string, string>()
  /** Objects restored after another program changed them, by kind. */
  readonly repairs = new Map<Kind, number>()
  /** The same, in the last 24 hours. */
  readonly lately = new Lately()
  /** Objects that another program changes again and again. */
  readonly fights = new Fights()
  /** The last of them ("route 10.2.3.0/24 deleted"); milliseconds since 1970. */
  lastRepair: { readonly at: number; readonly text: string } | undefined
  /** Of the repairs, those the kernel refused at the first try. */
  readonly refusedRepairs = new Counter<Kind>()
  /** Notifications of foreign changes by kind, and of lost notifications. */
  readonly drifts = new Counter<Kind | 'overrun'>([...KINDS, 'overrun'])
  /** Seconds of passes that completed, or completed in part. */
  readonly durations = new Histogram(PASS_BOUNDS)
  /** Passes that were aborted, or of which the kernel refused something. */
  failedPasses = 0
  /** Netlink writes so far. */
  writes = 0
  /** Passes so far, and when the last full comparison ended (milliseconds since 1970; 0: never). */
  passes = 0
  lastAudit = 0
  lastPassMs = 0
  /** Why the last pass was aborted; empty when it was not. */
  #brokenOff = ''
  #unsaid = 0
  #lines = 0
  #saidAt = Number.NEGATIVE_INFINITY

  constructor(log: Log, events?: EventSink) {
    this.#log = log
    this.#events = events
  }

  /** Changes that still fail; an aborted pass counts as one. */
  get failing(): number {
    return this.#failing.size + (this.#brokenOff === '' ? 0 : 1)
  }

  /** Keys (keyOf) of the objects the kernel refuses. */
  get refused(): Iterable<string> {
    return this.#failing.keys()
  }

  /** Counts what a pass did to one kind. */
  wrote(kind: Kind, { why, changes, repairs, first, refused }: Work): void {
    this.writes += changes
    if (first === undefined) return
    this.refusedRepairs.add(kind, refused)
    this.repairs.set(kind, (this.repairs.get(kind) ?? 0) + repairs)
    this.lately.noted(repairs)
    this.fights.noted(brief(first.object))
    this.lastRepair = { at: Date.now(), text: `${brief(first.object)} ${THEIRS[first.verb]}` }
    const now = performance.now()
    this.#unsaid += repairs
    if (now - this.#saidAt < REPAIR_LINE_MS && ++this.#lines > REPAIR_LINES) return
    if (now - this.#saidAt >= REPAIR_LINE_MS) this.#lines = 1
    this.#saidAt = now
    const by = why === 'drift' ? 'notification' : 'audit'
    this.#log.warn(
      `repaired ${counted(this.#unsaid, kind)} changed by another program (found by ${by}): ${first.verb} ${showObject(first.object)}`,
    )
    this.#events?.happened(
      'repair',
      `${this.lastRepair.text} by another program: repaired${this.#unsaid > 1 ? `, ${counted(this.#unsaid, kind)} in all` : ''} (found by ${by})`,
    )
    this.#unsaid = 0
  }

  /** Takes the failures of a pass. The first failure of each object is logged, and its end. */
  failed(failures: readonly Failure[]): void {
    const now = new Map(failures.map(({ change, error }) => [keyOf(change.object), { change, error }]))
    if (now.size > 0) this.failedPasses++
    const fresh = [...now].filter(([key]) => !this.#failing.has(key))
    const first = fresh[0]?.[1]
    if (first !== undefined) {
      const more = fresh.length > 1 ? ` (and ${fresh.length - 1} more)` : ''
      const text = `kernel refused ${first.change.verb} ${showObject(first.change.object)}: ${first.error.message}${more}; trying again`
      this.#log.error(text)
      this.#events?.happened('repair', text, { bad: true })
    }
    const healed = [...this.#failing].filter(([key]) => !now.has(key))
    if (healed.length > 0)
      this.#log.info(`${counted(healed.length, 'refused change')} now applied: ${healed[0]?.[1] ?? ''}`)
    this.#failing.clear()
    for (const [key, { change }] of now) this.#failing.set(key, showObject(change.object))
  }

  conflictFound({ wanted, found }: ObjectConflict): void {
    const text = `${showObject(found)} is not ours and stands where we need ${showObject(wanted)}; left alone: remove it to let ours in`
    this.#log.error(`conflict: ${text}`)
    this.#events?.happened('conflict', text, { bad: true })
  }

  conflictGone({ wanted }: ObjectConflict): void {
    const text = `the way is free for ${showObject(wanted)}`
    this.#log.info(`conflict over: ${text}`)
    this.#events?.happened('conflict', text)
  }

  audited(): void {
    this.lastAudit = Date.now()
  }

  /** A pass was aborted: the kernel could not be read or written. */
  brokenOff(why: string): void {
    if (this.#brokenOff === '') this.#log.error(`pass broken off: ${why}; reading the kernel again`)
    this.#brokenOff = why
    this.failedPasses++
  }

  passed(milliseconds: number): void {
    if (this.#brokenOff !== '') this.#log.info(`a pass went through again, after ${this.#brokenOff}`)
    this.#brokenOff = ''
    this.passes++
    this.lastPassMs = milliseconds
    this.durations.observe(milliseconds / 1000)
  }
}
