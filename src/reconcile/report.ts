// What the reconciler did, for the log and for whoever asks: counts since the start, and lines on transitions only.
import type { Conflict } from '../kernel/diff.ts'
import type { Change, Failure } from '../kernel/kernel.ts'
import { show } from '../kernel/show.ts'
import { type Kind, keyOf } from '../kernel/state.ts'
import type { Log } from '../log.ts'

/** Why the kernel has to be read again; only drift and audits count as repairs. */
export type Staleness = 'intent' | 'drift' | 'audit' | 'retry'

/** What a pass did to one kind: `why` it was read, undefined when only changed peers were compared. */
export interface Work {
  readonly why: Staleness | undefined
  readonly changes: number
  /** Changes that put right what somebody else did, and the first of them: not those that peers who came or went need. */
  readonly repairs: number
  readonly first: Change | undefined
}

/** At most so many lines about repairs in so many milliseconds: a program that fights us must not fill the log. */
const REPAIR_LINES = 12
const REPAIR_LINE_MS = 10_000

export class Report {
  readonly #log: Log
  readonly #failing = new Map<string, string>()
  /** Objects put back because somebody else had changed them, by kind. */
  readonly repairs = new Map<Kind, number>()
  /** Netlink writes so far. */
  writes = 0
  /** Passes so far, and when the last full comparison ended (milliseconds since 1970; 0: never). */
  passes = 0
  lastAudit = 0
  lastPassMs = 0
  /** Why the last pass was broken off; empty when it was not. */
  #brokenOff = ''
  #unsaid = 0
  #lines = 0
  #saidAt = Number.NEGATIVE_INFINITY

  constructor(log: Log) {
    this.#log = log
  }

  /** Changes that still fail; a pass that was broken off counts as one. */
  get failing(): number {
    return this.#failing.size + (this.#brokenOff === '' ? 0 : 1)
  }

  /** Notes what a pass did to one kind. */
  wrote(kind: Kind, { why, changes, repairs, first }: Work): void {
    this.writes += changes
    if (first === undefined) return
    this.repairs.set(kind, (this.repairs.get(kind) ?? 0) + repairs)
    const now = performance.now()
    this.#unsaid += repairs
    if (now - this.#saidAt < REPAIR_LINE_MS && ++this.#lines > REPAIR_LINES) return
    if (now - this.#saidAt >= REPAIR_LINE_MS) this.#lines = 1
    this.#saidAt = now
    const by = why === 'drift' ? 'notification' : 'audit'
    this.#log.warn(
      `repaired ${count(this.#unsaid, kind)} changed by somebody else (found by ${by}): ${first.verb} ${show(first.object)}`,
    )
    this.#unsaid = 0
  }

  /** Notes the failures of a pass: the first of each is said, and its end. */
  failed(failures: readonly Failure[]): void {
    const now = new Map(failures.map(({ change, error }) => [keyOf(change.object), { change, error }]))
    const fresh = [...now].filter(([key]) => !this.#failing.has(key))
    const first = fresh[0]?.[1]
    if (first !== undefined) {
      const more = fresh.length > 1 ? ` (and ${fresh.length - 1} more)` : ''
      this.#log.error(
        `kernel refused ${first.change.verb} ${show(first.change.object)}: ${first.error.message}${more}; trying again`,
      )
    }
    const healed = [...this.#failing].filter(([key]) => !now.has(key))
    if (healed.length > 0)
      this.#log.info(`${count(healed.length, 'refused change')} now applied: ${healed[0]?.[1] ?? ''}`)
    this.#failing.clear()
    for (const [key, { change }] of now) this.#failing.set(key, show(change.object))
  }

  conflictFound({ wanted, found }: Conflict): void {
    this.#log.error(
      `conflict: ${show(found)} is not ours and stands where we need ${show(wanted)}; left alone: remove it to let ours in`,
    )
  }

  conflictGone({ wanted }: Conflict): void {
    this.#log.info(`conflict over: the way is free for ${show(wanted)}`)
  }

  audited(): void {
    this.lastAudit = Date.now()
  }

  /** A pass ended before its time: the kernel could not be read, or not be talked to. */
  brokenOff(why: string): void {
    if (this.#brokenOff === '') this.#log.error(`pass broken off: ${why}; reading the kernel again`)
    this.#brokenOff = why
  }

  passed(milliseconds: number): void {
    if (this.#brokenOff !== '') this.#log.info(`a pass went through again, after ${this.#brokenOff}`)
    this.#brokenOff = ''
    this.passes++
    this.lastPassMs = milliseconds
  }
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}
