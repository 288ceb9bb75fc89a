// The time in which peers stay though their leases are gone: long enough for their hosts to register again.
import type { Conditions } from '../health/conditions.ts'
import type { EtcdLoss } from './loss.ts'
import type { Log } from '../log.ts'

/** Long enough for every host to notice and register, however many they are. */
const HOLD_MS = 300_000
/** The same where every host got the deletion by its watch, and does not have to reconnect to etcd first. */
const SHORT_HOLD_MS = 10_000

/** The condition during a hold: doctor reads it, since the stored leases are incomplete then. */
export const PEERS_KEPT = 'peers-kept'

export class Hold {
  readonly #log: Log
  readonly #conditions: Conditions
  readonly #longest: number
  #until = 0
  #of: EtcdLoss['of'] = 'leases'

  constructor(log: Log, conditions: Conditions, longest: number | undefined) {
    this.#log = log
    this.#conditions = conditions
    this.#longest = longest ?? HOLD_MS
  }

  /** Milliseconds left; 0 when there is no hold. */
  get left(): number {
    return Math.max(0, this.#until - performance.now())
  }

  /** Clears the condition when the hold is over. Returns the milliseconds left. */
  look(): number {
    const { left } = this
    if (left === 0) this.#conditions.clear(PEERS_KEPT)
    return left
  }

  /** Starts a hold for this many peers. Returns false when the current one lasts long enough. */
  begin({ of, why }: EtcdLoss, peers: number): boolean {
    // Lost data takes longer to recover than deleted leases. A repeated loss of the same kind extends nothing.
    if (this.left > 0 && (of === 'leases' || this.#of === 'data')) return false
    const ms = of === 'data' ? this.#longest : Math.min(this.#longest, SHORT_HOLD_MS)
    this.#until = performance.now() + ms
    this.#of = of
    const what = of === 'data' ? `etcd lost data (${why})` : `leases were deleted (${why})`
    const time = ms < 60_000 ? `${ms / 1_000} s` : `${ms / 60_000} min`
    this.#log.error(`${what}: keeping ${peers} peers for ${time}, registering again`)
    const text = `${what}: peers without a lease are kept for ${time}, for their hosts to register again: do not restart flanneld meanwhile`
    this.#conditions.set(PEERS_KEPT, { level: 'warning', gist: 'peers kept without leases', text, run: null })
    return true
  }
}
