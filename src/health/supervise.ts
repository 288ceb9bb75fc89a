// Parts that only observe the daemon or report on it: a fault in one of them stays in that part.
// Invariants: a fault of an observing part never reaches the parts that carry traffic, and never ends the daemon; it is logged
// once, counted, and kept as a condition until the part has been healthy for a while. A fault anywhere else ends the daemon.
import type { Conditions } from './conditions.ts'
import { EtcdError, KernelError, OperatorError, show } from '../errors.ts'
import { Backoff, hasAborted, pause } from '../async/wait.ts'
import type { Log } from '../log.ts'
import { Counter } from '../counters.ts'

/** The observing parts, by what an operator knows of them. */
export const OBSERVING = [
  'alarms',
  'census',
  'control',
  'docker',
  'doctor',
  'events',
  'health',
  'memory',
  'metrics',
  'page',
  'probe',
  'systemd',
] as const
export type Observing = (typeof OBSERVING)[number]

/** A part without a fault for this long is well again. Milliseconds. */
const CALM_MS = 300_000
/** Before a part starts again: at first, and at most. */
const AGAIN_MS = { first: 1000, most: 60_000 }

/** One observing part, as it and its callers see it. */
export interface SupervisedPart {
  /** A callback that never throws: what it throws, or what it returns rejects with, is this part's fault. */
  readonly guard: <A extends readonly unknown[]>(callback: (...args: A) => unknown) => (...args: A) => void
  /** Runs `work` until it ends or `signal` aborts, and again after a growing pause when it fails. Never rejects. */
  readonly keep: (work: () => Promise<void>, signal: AbortSignal) => Promise<void>
  /** Takes note of a fault. Never throws. */
  readonly failed: (error: unknown) => void
}

export class Supervisor {
  /** Faults by part. */
  readonly faults = new Counter<Observing>(OBSERVING)
  readonly #conditions: Conditions
  readonly #log: Log
  readonly #calmMs: number
  readonly #calm = new Map<Observing, NodeJS.Timeout>()

  constructor(conditions: Conditions, log: Log, calmMs = CALM_MS) {
    this.#conditions = conditions
    this.#log = log
    this.#calmMs = calmMs
  }

  /** The handle of a part. */
  part(name: Observing): SupervisedPart {
    const failed = (error: unknown): void => {
      this.#failed(name, error)
    }
    return {
      failed,
      guard:
        (callback) =>
        (...args) => {
          try {
            const outcome = callback(...args)
            if (outcome instanceof Promise) outcome.catch(failed)
          } catch (error) {
            failed(error)
          }
        },
      async keep(work, signal) {
        const backoff = new Backoff(AGAIN_MS.first, AGAIN_MS.most)
        while (!signal.aborted) {
          const began = performance.now()
          try {
            await work()
            return
          } catch (error) {
            if (!hasAborted(signal)) failed(error)
          }
          if (performance.now() - began > AGAIN_MS.most) backoff.reset()
          await pause(backoff.next(), signal)
        }
      },
    }
  }

  #failed(name: Observing, error: unknown): void {
    this.faults.add(name)
    const code = `part-failed-${name}`
    const standing = this.#conditions.has(code)
    const why = reasonOf(error)
    this.#conditions.set(code, {
      level: 'fault',
      gist: `${name} failed`,
      text: `${name}: ${why}: a fault in flanneld; traffic is not affected, ${name} restarts by itself: please report it with the log`,
      run: null,
    })
    // The stack says where. A repeated fault is one line.
    if (!standing)
      this.#log.error(`${name}: ${stackOf(error) ?? why}: traffic is not affected, ${name} restarts by itself`)
    clearTimeout(this.#calm.get(name))
    this.#calm.set(
      name,
      setTimeout(() => {
        this.#well(name, code)
      }, this.#calmMs).unref(),
    )
  }

  #well(name: Observing, code: string): void {
    this.#calm.delete(name)
    if (this.#conditions.clear(code)) this.#log.info(`${name}: no fault for ${Math.round(this.#calmMs / 1000)} s`)
  }
}

/** Whether an error says something about the outside, for the caller, and nothing about a fault in us. */
export function isAnswer(error: unknown): boolean {
  return error instanceof OperatorError || error instanceof EtcdError || error instanceof KernelError
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : show(error)
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error && typeof error.stack === 'string' ? error.stack : undefined
}
