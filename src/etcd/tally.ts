// What etcd is asked and how it answers, counted: a Store that passes everything on to another one.
// Invariant: nothing of a call or a watch is held or changed.
import type { StoreCondition, Snapshot, Store, WatchStep, StoreWrite } from './store.ts'
import { type EtcdCause, EtcdError } from '../errors.ts'
import { Counter, Histogram } from '../counters.ts'

/** Seconds: a healthy etcd nearby answers in some milliseconds; a call that takes 5 s is given up at first. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const

/** The calls of a store that are timed, as the label `op` has them. */
export const ETCD_OPERATIONS = ['get', 'range', 'commit', 'grant', 'time_to_live', 'keep_alive', 'revoke'] as const
type Operation = (typeof ETCD_OPERATIONS)[number]

const CAUSES: readonly EtcdCause[] = ['unreachable', 'tls', 'auth', 'deadline', 'unavailable', 'refused']

export class EtcdTally {
  /** Seconds each call took, failed ones too. */
  readonly seconds: ReadonlyMap<Operation, Histogram> = new Map(
    ETCD_OPERATIONS.map((op) => [op, new Histogram(BOUNDS)] as const),
  )
  /** Calls that failed, and watches that were cut. */
  readonly errors = new Counter<EtcdCause>(CAUSES)
  #watched: boolean | undefined
  #answered = false
  #revision: string | undefined
  #since: number | undefined
  #usualMs = 0
  #trouble: { readonly at: number; readonly text: string } | undefined

  /** Whether the watch is alive; before there is one, whether the last call was answered. */
  get connected(): boolean {
    return this.#watched ?? this.#answered
  }

  /** Since when `connected` is what it is; milliseconds since 1970, undefined before the first answer or failure. */
  get since(): number | undefined {
    return this.#since
  }

  /** How long an answer took recently, weighted to the slow ones; milliseconds, 0 before the first. */
  get usualMs(): number {
    return this.#usualMs
  }

  /** What failed last, and when (milliseconds since 1970), whether or not it is over. */
  get trouble(): { readonly at: number; readonly text: string } | undefined {
    return this.#trouble
  }

  /** The revision up to which changes are known; undefined before the first listing. */
  get revision(): string | undefined {
    return this.#revision
  }

  /** The same store, with what goes through it counted here. */
  counted(store: Store): Store {
    return {
      get: (key: string) => this.#timed('get', store.get(key)),
      range: (prefix: string): Promise<Snapshot> => this.#timed('range', store.range(prefix)),
      commit: (guards: readonly StoreCondition[], writes: readonly StoreWrite[]) =>
        this.#timed('commit', store.commit(guards, writes)),
      grant: (ttl: number) => this.#timed('grant', store.grant(ttl)),
      timeToLive: (lease: string) => this.#timed('time_to_live', store.timeToLive(lease)),
      keepAlive: (lease: string) => this.#timed('keep_alive', store.keepAlive(lease)),
      revoke: (lease: string) => this.#timed('revoke', store.revoke(lease)),
      watch: (prefix: string, signal: AbortSignal, from?: Snapshot[]) =>
        this.#watching(store.watch(prefix, signal, from)),
      alarms: () => store.alarms(),
      reconnect: () => {
        store.reconnect()
      },
      close: () => {
        store.close()
      },
    }
  }

  async #timed<T>(op: Operation, call: Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      const value = await call
      this.#now(() => (this.#answered = true))
      this.#usualMs = Math.max(performance.now() - began, this.#usualMs * 0.8)
      return value
    } catch (error) {
      this.#now(() => (this.#answered = false))
      this.#failed(error)
      throw error
    } finally {
      this.seconds.get(op)?.observe((performance.now() - began) / 1000)
    }
  }

  /** By hand: a generator would hold each step, and with it every lease there is, until the next one. */
  #watching(steps: AsyncIterableIterator<WatchStep>): AsyncIterableIterator<WatchStep> {
    const counted: AsyncIterableIterator<WatchStep> = {
      next: async () => {
        const result = await steps.next()
        if (result.done !== true) this.#saw(result.value)
        return result
      },
      return: async () => (await steps.return?.()) ?? { done: true, value: undefined },
      [Symbol.asyncIterator]: () => counted,
    }
    return counted
  }

  #saw(step: WatchStep): void {
    this.#now(() => (this.#watched = step.type !== 'disconnected'))
    if (step.type === 'disconnected') {
      this.#failed(step.error)
    } else {
      this.#revision = step.type === 'snapshot' ? step.snapshot.revision : step.revision
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof EtcdError)) return
    this.errors.add(error.why)
    this.#trouble = { at: Date.now(), text: error.message }
  }

  /** Notes a change of `connected` that `change` makes. */
  #now(change: () => void): void {
    const before = this.connected
    change()
    if (this.#since === undefined || before !== this.connected) this.#since = Date.now()
  }
}
