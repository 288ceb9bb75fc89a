// The time in which peers stay though their leases are gone: long enough for their hosts to register again.
import type { EtcdLoss } from './lease/loss.ts'
import type { Log } from './log.ts'

/** Long enough for every host to notice and register, however many they are. */
const HOLD_MS = 300_000
/** The same where every host was told at once, and has not to find its way back to etcd first. */
const SHORT_HOLD_MS = 10_000

export class Hold {
  readonly #log: Log
  readonly #longest: number
  #until = 0
  #of: EtcdLoss['of'] = 'leases'

  constructor(log: Log, longest: number | undefined) {
    this.#log = log
    this.#longest = longest ?? HOLD_MS
  }

  /** Milliseconds until it is over; 0 when there is none. */
  get left(): number {
    return Math.max(0, this.#until - performance.now())
  }

  /** Begins it for so many peers; false when one is on that will do. */
  begin({ of, why }: EtcdLoss, peers: number): boolean {
    // Lost data take longer to be mended than deleted leases; the same again does not.
    if (this.left > 0 && (of === 'leases' || this.#of === 'data')) return false
    const ms = of === 'data' ? this.#longest : Math.min(this.#longest, SHORT_HOLD_MS)
    this.#until = performance.now() + ms
    this.#of = of
    const what = of === 'data' ? `etcd lost data (${why})` : `leases were deleted (${why})`
    const time = ms < 60_000 ? `${ms / 1_000} s` : `${ms / 60_000} min`
    this.#log.error(`${what}: keeping ${peers} peers for ${time}, registering again`)
    return true
  }
}
