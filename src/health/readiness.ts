// Whether this host carries traffic as it should, and if not why: several parts, each ready or with its reason.
// Invariant: ready only when every part said so; a listener hears transitions, not repetitions.
import type { LogListener, Log } from '../log.ts'

/** The parts that have to be right. */
export type Part = 'config' | 'lease' | 'kernel' | 'peers' | 'subnet.env' | 'backend' | 'firewall'

export class Readiness {
  readonly #reasons = new Map<Part, string>()
  readonly #log: Log
  readonly #listeners: ((ready: boolean) => void)[] = []
  readonly #reasonListeners: (() => void)[] = []

  constructor(parts: readonly Part[], log: Log) {
    this.#log = log
    for (const part of parts) this.#reasons.set(part, 'not yet')
  }

  get ready(): boolean {
    return this.#reasons.size === 0
  }

  /** What is missing, one phrase a part; empty when ready. */
  get reasons(): readonly string[] {
    return [...this.#reasons].map(([part, reason]) => `${part}: ${reason}`)
  }

  /** Calls `listener` at each change from ready to not ready and back. */
  onChange(listener: (ready: boolean) => void): void {
    this.#listeners.push(listener)
  }

  /** Calls `listener` when we are not ready for another reason than before. */
  onReason(listener: () => void): void {
    this.#reasonListeners.push(listener)
  }

  /** A part is right. */
  good(part: Part): void {
    const before = this.ready
    this.#reasons.delete(part)
    this.#tell(before)
  }

  /** A part is not right, and why. */
  bad(part: Part, reason: string): void {
    const before = this.ready
    const other = this.#reasons.get(part) !== reason
    this.#reasons.set(part, reason)
    this.#tell(before)
    if (!before && other) for (const listener of this.#reasonListeners) listener()
  }

  #tell(before: boolean): void {
    if (before === this.ready) return
    if (this.ready) this.#log.info('ready: subnet.env is written and every peer is programmed')
    else this.#log.warn(`no longer ready: ${this.reasons.join('; ')}`)
    for (const listener of this.#listeners) listener(this.ready)
  }
}

/** Hears the log of what has to come right first: its last complaint is why a part is not. */
export function becauseOf(readiness: Readiness, part: Part): LogListener {
  return (_part, severity, text) => {
    if (severity !== 'I') readiness.bad(part, text)
  }
}
