// Examines this host while the daemon runs, at its own pace and on request, and publishes the outcome where every view reads it.
// Invariants: one examination at a time; at rest it takes at most 1/2000 of a core, and more only while there is a fault; nothing
// here throws: what cannot be looked at is a condition.
import type { Status } from '../view/status-shape.ts'
import { messageOf } from '../errors.ts'
import { isAnswer } from '../health/supervise.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { OWN_CHECKS, type CheckGroup, type GroupOutcome, strangerFindings } from '../doctor/own-checks.ts'
import type { CurrentDaemon } from '../view/running-daemon.ts'
import { statusOf } from '../view/status.ts'
import { pause } from '../async/wait.ts'

/** Between two examinations at rest, at least and at most. Milliseconds. */
const REST_MS = { least: 30_000, most: 300_000 }
/** The same while there is a fault, at most: what another program was just changing is soon right again. Milliseconds. */
const FAULTY_MS = 15_000
/** After a change of readiness or of a condition the next one comes this soon, and where much changes no later than that. Milliseconds. */
const SOON_MS = { least: 200, most: 2_000 }
/** Events such as those of probes can come without end: between two examinations that follow them. Milliseconds. */
const EVENT_MS = { least: 10_000, most: 60_000 }
/** The start is not slowed: the first one waits until the daemon is ready, or this long. Milliseconds. */
const START_MS = 2_000
/** What a millisecond of work is followed by: at rest, after events, and on request or where readiness changes. Milliseconds. */
const REST_SHARE = 2000
const EVENT_SHARE = 1000
const BUSY_SHARE = 100
/** How long to wait for a slow group; what it finds later is reported then. Milliseconds. */
const WAIT_MS = 2_500
/** When a fault that the daemon may be about to repair is examined again. Milliseconds. */
const SETTLE_MS = 1_500

/** A group with what it found last. */
interface Held {
  readonly group: CheckGroup
  outcome: GroupOutcome
  /** performance.now of its last end. */
  ended: number
  tookMs: number
  running: Promise<void> | undefined
}

/** Where it looks. */
interface Parts {
  readonly current: CurrentDaemon
  readonly kernel: LiveKernel
  readonly signal: AbortSignal
}

/** Examines until the signal aborts. */
export function examineHost(parts: Parts): void {
  const { health, events, readiness, conditions, supervisor } = parts.current()
  const part = supervisor.part('doctor')
  const examiner = new Examiner(parts)
  health.examineBy(() => examiner.ask())
  const soon = (): void => {
    examiner.soon()
  }
  readiness.onChange(soon)
  readiness.onReason(soon)
  conditions.onChange(soon)
  events.follow(({ kind }) => {
    if (kind !== 'verdict') examiner.afterEvent()
  }, parts.signal)
  void part.keep(() => examiner.run(), parts.signal)
}

class Examiner {
  readonly #parts: Parts
  readonly #held: readonly Held[]
  #status: Status | undefined
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #ended = Number.NEGATIVE_INFINITY
  /** Milliseconds of processor time of the last two examinations, with whatever else the daemon did meanwhile. */
  #costs: readonly number[] = []
  /** Ends the pause at rest. */
  #wake = new AbortController()
  #waking: NodeJS.Timeout | undefined
  /** When that pause ends early, by performance.now; Infinity: it does not. */
  #wakesAt = Infinity

  constructor(parts: Parts) {
    this.#parts = parts
    this.#held = OWN_CHECKS.map((group) => ({
      group,
      outcome: { findings: [] },
      ended: Number.NEGATIVE_INFINITY,
      tookMs: 0,
      running: undefined,
    }))
  }

  /** Examines from time to time until the signal aborts. */
  async run(): Promise<void> {
    const { current, signal } = this.#parts
    const ready = new AbortController()
    current().readiness.onChange(() => {
      ready.abort()
    })
    await pause(START_MS, AbortSignal.any([signal, ready.signal]))
    while (!signal.aborted) {
      await this.#examine(false)
      this.#wake = new AbortController()
      const rest = Math.min(REST_MS.most, Math.max(REST_MS.least, this.#cost * REST_SHARE))
      await pause(this.#isFaulty ? Math.min(rest, FAULTY_MS) : rest, AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  get #isFaulty(): boolean {
    return this.#held.some(({ outcome }) => outcome.findings.some(({ level }) => level === 'fault'))
  }

  /** Readiness or a condition changed: the next examination comes soon. */
  soon(): void {
    this.#wakeAfter(Math.min(SOON_MS.most, this.#cost * BUSY_SHARE))
  }

  /** An event happened: the next examination comes sooner than at rest. */
  afterEvent(): void {
    this.#wakeAfter(Math.min(EVENT_MS.most, Math.max(EVENT_MS.least, this.#cost * EVENT_SHARE)))
  }

  /** Has the next examination begin this long after the last one, or earlier where that is planned. Milliseconds. */
  #wakeAfter(gap: number): void {
    if (this.#parts.signal.aborted) return
    const now = performance.now()
    const at = Math.max(now + SOON_MS.least, this.#ended + gap)
    if (at >= this.#wakesAt) return
    this.#wakesAt = at
    clearTimeout(this.#waking)
    this.#waking = setTimeout(() => {
      this.#wakesAt = Infinity
      // The examination under way may have read what changed before it did: another one follows.
      if (this.#running === undefined) this.#wake.abort()
      else
        void this.#running.then(() => {
          this.soon()
        })
    }, at - now).unref()
  }

  /** Examines on request: resolves after an examination that began after the call. Never rejects. */
  ask(): Promise<void> {
    return this.#examine(true)
  }

  /** Milliseconds of an examination: the lesser has less of other work in it. */
  get #cost(): number {
    return Math.min(REST_MS.most, ...this.#costs)
  }

  #examine(asked: boolean): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return (this.#running = this.#once(asked))
    return (this.#next = this.#running.then(() => {
      this.#next = undefined
      return (this.#running = this.#once(asked))
    }))
  }

  async #once(asked: boolean): Promise<void> {
    const { current, signal } = this.#parts
    const began = process.cpuUsage()
    try {
      const looks = this.#held.filter((held) => due(held, asked)).map((held) => this.#look(held))
      this.#status = await statusOf(current())
      await Promise.race([Promise.all(looks), pause(WAIT_MS, signal)])
    } catch (error) {
      this.#failed('status', error)
    } finally {
      this.#publish()
      const { user, system } = process.cpuUsage(began)
      this.#costs = [(user + system) / 1000, ...this.#costs.slice(0, 1)]
      this.#ended = performance.now()
      this.#running = undefined
    }
  }

  /** Looks at one group; one that is slower than we wait publishes by itself. Never rejects. */
  #look(held: Held): Promise<void> {
    return (held.running ??= this.#lookAt(held).finally(() => {
      held.running = undefined
      if (this.#running === undefined) this.#publish()
    }))
  }

  async #lookAt(held: Held): Promise<void> {
    const { current, kernel, signal } = this.#parts
    const { group } = held
    const began = performance.now()
    try {
      let outcome = await group.look(kernel, current())
      const settling = outcome.findings.some(({ code }) => code === 'subnet-env')
      if (settling) {
        await pause(SETTLE_MS, signal)
        outcome = await group.look(kernel, current())
      }
      held.outcome = outcome
      current().conditions.clear(codeOf(group.name))
    } catch (error) {
      this.#failed(group.name, error)
    }
    held.ended = performance.now()
    held.tookMs = group.works ? held.ended - began : 0
  }

  #publish(): void {
    const status = this.#status
    if (status === undefined) return
    const guard = status.firewall?.guard
    const strangers = guard === null || guard === undefined ? [] : strangerFindings(guard.strangers, guard.table)
    const outcomes = this.#held.map(({ outcome }) => outcome)
    const docker = outcomes.find((outcome) => outcome.docker !== undefined)?.docker
    const findings = [...outcomes.flatMap((outcome) => outcome.findings), ...strangers]
    this.#parts.current().health.examined({ status, docker, findings })
  }

  /** What the kernel or a program says is a condition until it works again; anything else is our own fault. */
  #failed(what: string, error: unknown): void {
    if (this.#parts.signal.aborted) return
    const { conditions, supervisor } = this.#parts.current()
    if (!isAnswer(error)) {
      supervisor.part('doctor').failed(error)
      return
    }
    const text = `this host is not examined in full: ${what}: ${messageOf(error)}`
    conditions.set(codeOf(what), { level: 'note', gist: 'not examined in full', text, run: 'flanneld doctor' })
  }
}

function codeOf(what: string): string {
  return `not-examined-${what}`
}

/** Whether a group is to be looked at again. */
function due({ group, outcome, ended, tookMs }: Held, asked: boolean): boolean {
  const { everyMs } = group
  const least = asked ? everyMs.asked : everyMs.rest(outcome)
  const spread = tookMs * (asked ? BUSY_SHARE : REST_SHARE)
  // Settings are looked at by every examination: their cost is in its pace.
  const pace = everyMs.asked === 0 ? 0 : Math.max(least, Math.min(spread, REST_MS.most))
  return performance.now() - ended >= pace && least !== Infinity
}
