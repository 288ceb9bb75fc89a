// The health of this host as one value, the one source of every report: status, page, metrics, events, /readyz, systemd.
// Invariants: it exists from the first moment of the daemon on; a change of readiness or of a condition is in it at once, what
// takes looking at the host is as old as the last examination; nothing here throws or blocks.
import type { Status } from './status-shape.ts'
import type { Conditions } from '../health/conditions.ts'
import type { Readiness } from '../health/readiness.ts'
import { type Finding, type Verdict, startingVerdict, verdictOf, withFindings } from './verdict.ts'

/** What an examination of the host gives. */
export interface Examined {
  readonly status: Status
  /** What is wrong with docker0. */
  readonly docker: string | undefined
  readonly findings: readonly Finding[]
}

/** The health of this host at one moment. */
export interface HealthReport {
  readonly verdict: Verdict
  /** Why the host is not healthy, one line each: of a daemon that is not ready, each part that is not; empty when healthy. */
  readonly lines: readonly string[]
  /** The status of the last examination, with readiness and conditions of now; undefined before the first one. */
  readonly status: Status | undefined
  /** When the host was last examined, milliseconds since 1970; 0: never. */
  readonly at: number
}

/** What GET /v1/status answers. */
export interface StatusAnswer extends Status {
  readonly verdict: Verdict
}

/** What the verdict depends on, except an examination. */
export interface HealthSource {
  readonly readiness: Readiness
  readonly conditions: Conditions
  /** URLs of etcd. */
  readonly endpoints: readonly string[]
}

/** Merges what was examined, if anything was yet, with readiness and conditions as they are now. Pure. */
function verdictFrom(
  { readiness, conditions, endpoints }: HealthSource,
  seen: Examined | undefined,
  now: number,
): Omit<HealthReport, 'at'> {
  const { ready, reasons, unready } = readiness
  if (seen === undefined) {
    const source = { unready, conditions: conditions.all, store: { endpoints: endpoints.map((url) => ({ url })) } }
    return { verdict: startingVerdict(source), lines: reasons, status: undefined }
  }
  const status = { ...seen.status, ready, reasons, unready, conditions: conditions.all }
  const known = verdictOf(status, seen.docker, now)
  // Before there is a lease, whatever is missing follows from what is waited for.
  const verdict = status.lease === null && !ready ? known : withFindings(known, seen.findings)
  return { verdict, lines: ready ? verdict.reasons.map(({ text }) => text) : reasons, status }
}

/** Holds the report. */
export class Health {
  readonly #source: HealthSource
  readonly #listeners: ((report: HealthReport, before: HealthReport) => void)[] = []
  #seen: Examined | undefined
  #at = 0
  #report: HealthReport
  #examine: () => Promise<void> = () => Promise.resolve()

  constructor(source: HealthSource) {
    this.#source = source
    this.#report = { ...verdictFrom(source, undefined, Date.now()), at: 0 }
    const judge = (): void => {
      this.#judge()
    }
    source.readiness.onChange(judge)
    source.readiness.onReason(judge)
    source.conditions.onChange(judge)
  }

  /** The report of this moment. */
  get latest(): HealthReport {
    return this.#report
  }

  /** Calls `listener` when the report changes, with the one before. */
  onChange(listener: (report: HealthReport, before: HealthReport) => void): void {
    this.#listeners.push(listener)
  }

  /** Sets who examines the host on request; it calls `examined` before its promise resolves, and never rejects. */
  examineBy(examine: () => Promise<void>): void {
    this.#examine = examine
  }

  /** Takes the outcome of an examination. */
  examined(seen: Examined): void {
    this.#seen = seen
    this.#at = Date.now()
    this.#judge()
  }

  /** A report not older than `ms`: examines the host where the last one is. */
  async fresh(ms: number): Promise<HealthReport> {
    if (this.#at === 0 || Date.now() - this.#at >= ms) await this.#examine()
    return this.#report
  }

  #judge(): void {
    const before = this.#report
    this.#report = { ...verdictFrom(this.#source, this.#seen, Date.now()), at: this.#at }
    for (const listener of this.#listeners) listener(this.#report, before)
  }
}
