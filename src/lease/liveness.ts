// Whether the hosts are alive whose leases claim the same. etcd is asked while there are such leases, and only about them.
// Invariant: a host counts as living until etcd says that its lease was not renewed, for its silence may be ours.
import type { Store } from '../etcd/store.ts'
import { hasAborted, pause } from '../async/wait.ts'
import { decodeClaim } from './codec.ts'

/** A daemon renews every 10 s and restarts faster than this during an update: a host that did not renew for this long is gone. Seconds. */
const SILENT_S = 120
/** Go's flanneld renews an hour before the end, so one with less left has not come. Seconds. */
const LATE_S = 3_500
/** Between two questions. Milliseconds. */
const ASK_MS = 10_000
/** The most leases asked about at a time, in rotation: a flood of claims costs etcd no more and starves no lease. */
const MOST = 100

/** Remaining and granted seconds of a lease. */
export interface LeaseTime {
  readonly remaining: number
  readonly granted: number
}

/** Whether a lease is renewed: by our daemon, which says its host id, or by Go's. `undefined`: the etcd lease is gone. Pure. */
export function isRenewed(time: LeaseTime | undefined, hostId: string | undefined): boolean {
  if (time === undefined) return false
  return hostId === undefined ? time.remaining >= LATE_S : time.granted - time.remaining <= SILENT_S
}

/** What is asked of a store. */
type Asked = Pick<Store, 'get' | 'timeToLive'>

export class Liveness {
  readonly #store: Asked
  readonly #signal: AbortSignal
  readonly #changed: () => void
  readonly #askMs: number
  /** Keys whose leases are not renewed. */
  #silent: ReadonlySet<string> = new Set()
  #rivals: readonly string[] = []
  /** The index at which the next turn starts. */
  #turn = 0
  #asking = false

  /** `changed` is called when a host turns out to live, or not to, that was held for the other. */
  constructor(store: Asked, signal: AbortSignal, changed: () => void, askMs = ASK_MS) {
    this.#store = store
    this.#signal = signal
    this.#changed = changed
    this.#askMs = askMs
  }

  /** Whether the host of a lease lives, as far as is known. */
  lives(key: string): boolean {
    return !this.#silent.has(key)
  }

  /** The keys of all leases that claim what another claims as well. */
  watch(rivals: readonly string[]): void {
    this.#rivals = rivals
    if (rivals.length === 0) this.#silent = new Set()
    else if (!this.#asking) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#asking = true
    while (this.#rivals.length > 0 && !this.#signal.aborted) {
      const found = new Map<string, boolean>()
      for (const key of this.#nextTurn()) found.set(key, await this.#renewed(key))
      const before = this.#silent
      const silent = new Set(
        this.#rivals.filter((key) => (found.has(key) ? found.get(key) === false : before.has(key))),
      )
      this.#silent = silent
      const same = before.size === silent.size && [...silent].every((key) => before.has(key))
      if (!same && !hasAborted(this.#signal)) this.#changed()
      await pause(this.#askMs, this.#signal).catch(() => undefined)
    }
    this.#asking = false
  }

  #nextTurn(): readonly string[] {
    const from = this.#turn < this.#rivals.length ? this.#turn : 0
    this.#turn = from + MOST
    return this.#rivals.slice(from, this.#turn)
  }

  /** Whether a lease is renewed; as it was last known while etcd does not answer. */
  async #renewed(key: string): Promise<boolean> {
    try {
      const { entry } = await this.#store.get(key)
      // The watch reports its deletion; a reservation has no end.
      if (entry === undefined || entry.lease === '0') return true
      const claim = decodeClaim(entry.value)
      return isRenewed(await this.#store.timeToLive(entry.lease), claim.ok ? claim.value.hostId : undefined)
    } catch {
      // Whatever went wrong says nothing of that host.
      return this.lives(key)
    }
  }
}
