// Whether this host is ready to carry traffic, and if not why: several parts, each ready or with a reason.
// Invariant: ready only when every part is; a listener is called for transitions, not for repetitions.
import type { Log } from '../log.ts'

/** The parts that have to be ready. */
export type ReadyPart = 'config' | 'lease' | 'kernel' | 'peers' | 'subnet.env' | 'backend' | 'firewall'

/** Why a part is not ready, for programs. */
export type ReasonCode =
  /** The start has not come that far. */
  | 'not-yet'
  | 'etcd-unreachable'
  | 'no-config'
  /** The stored config is invalid, or this host cannot run it. */
  | 'config-refused'
  | 'no-free-subnet'
  /** Another host has our public address. */
  | 'duplicate-address'
  /** Another host has our subnet. */
  | 'subnet-taken'
  /** Our key in etcd was deleted or changed, or its etcd lease expired. */
  | 'lease-lost'
  /** The lease moved to another subnet. */
  | 'subnet-changed'
  | 'kernel-refused'
  /** Something that has to run beside the daemon does not. */
  | 'helper-down'
  | 'file-not-written'
  /** Of a daemon of an earlier version, which sends only the text. */
  | 'unknown'

/** A part that is not ready. */
export interface Unready {
  readonly part: ReadyPart
  readonly code: ReasonCode
  /** For people. */
  readonly text: string
}

export class Readiness {
  readonly #unready = new Map<ReadyPart, Unready>()
  readonly #log: Log
  readonly #listeners: ((ready: boolean) => void)[] = []
  readonly #reasonListeners: (() => void)[] = []

  constructor(parts: readonly ReadyPart[], log: Log) {
    this.#log = log
    for (const part of parts) this.#unready.set(part, { part, code: 'not-yet', text: 'not yet' })
  }

  get ready(): boolean {
    return this.#unready.size === 0
  }

  /** The parts that are not ready; empty when ready. */
  get unready(): readonly Unready[] {
    return [...this.#unready.values()]
  }

  /** The same for people, "lease: key deleted" each. */
  get reasons(): readonly string[] {
    return this.unready.map(reasonText)
  }

  /** Calls `listener` at each change from ready to not ready and back. */
  onChange(listener: (ready: boolean) => void): void {
    this.#listeners.push(listener)
  }

  /** Calls `listener` when we are not ready for another reason than before. */
  onReason(listener: () => void): void {
    this.#reasonListeners.push(listener)
  }

  /** A part is ready. */
  good(part: ReadyPart): void {
    const before = this.ready
    this.#unready.delete(part)
    this.#report(before)
  }

  /** A part is not ready, and why. */
  bad(part: ReadyPart, code: ReasonCode, text: string): void {
    const before = this.ready
    const other = this.#unready.get(part)?.text !== text
    this.#unready.set(part, { part, code, text })
    this.#report(before)
    if (!before && other) for (const listener of this.#reasonListeners) listener()
  }

  #report(before: boolean): void {
    if (before === this.ready) return
    if (this.ready) this.#log.info('ready: subnet.env is written and every peer is programmed')
    else this.#log.warn(`no longer ready: ${this.reasons.join('; ')}`)
    for (const listener of this.#listeners) listener(this.ready)
  }
}

/** "lease: key deleted". */
export function reasonText({ part, text }: Unready): string {
  return `${part}: ${text}`
}
