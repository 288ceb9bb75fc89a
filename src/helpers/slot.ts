// One helper: started, updated, started again when it ended, stopped. Level-triggered: what is wanted may change at any time, and the
// result depends on the last wish only.
// Invariants: one start, update or stop at a time; after a failure a growing pause; nothing is thrown.
import type { Helper, HelperPeer } from '../backend.ts'
import { coalesce } from '../async/coalesce.ts'
import { Backoff, timerTime } from '../async/wait.ts'
import { equal } from '../equal.ts'
import { messageOf } from '../errors.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Log } from '../log.ts'
import type { HelperDriver, HelperFacts, RunningHelper, StrangerRule } from './driver.ts'

/** Between two attempts, at first and at most. Milliseconds. */
const AGAIN_MS = { first: 100, most: 10_000 }
/** One that ran for this long starts again at once. Milliseconds. */
const CALM_MS = 30_000

/** How a helper is. `since` is milliseconds since 1970. */
export interface HelperStatus {
  readonly type: Helper['type']
  readonly name: string
  readonly state: 'starting' | 'running' | 'down'
  readonly since: number
  /** How often it was started again. */
  readonly restarts: number
  /** Why it is down; null otherwise. */
  readonly error: string | null
  readonly facts: HelperFacts
}

/** What a slot works with. */
export interface SlotParts {
  readonly driver: HelperDriver<Helper, HelperPeer>
  readonly strangers: StrangerRule
  readonly log: Log
  /** Called after each change of its state. */
  readonly changed: () => void
  /** Called after each change of its trouble. */
  readonly troubled: () => void
}

export class Slot {
  readonly #parts: SlotParts
  readonly #backoff = new Backoff(AGAIN_MS.first, AGAIN_MS.most)
  readonly #peers = new Map<Prefix, HelperPeer>()
  #wanted: Helper
  #running:
    | { readonly helper: RunningHelper<Helper, HelperPeer>; as: Helper; readonly began: number; told: boolean }
    | undefined
  #goal: 'run' | 'rest' | 'unwanted' | 'daemon-ends' = 'run'
  /** Subnets whose peers it was not told of; undefined while the peers are not known. */
  #untold: Set<Prefix> | undefined
  #state: HelperStatus['state'] = 'starting'
  #since = Date.now()
  #restarts = 0
  #error: string | undefined
  #trouble: string | undefined
  #again: NodeJS.Timeout | undefined
  readonly #sync: () => Promise<void>

  constructor(wanted: Helper, parts: SlotParts) {
    this.#wanted = wanted
    this.#parts = parts
    this.#sync = coalesce(
      () => this.#step(),
      (error) => {
        this.#down(messageOf(error))
      },
    )
  }

  get makesDevices(): boolean {
    return this.#parts.driver.makesDevices
  }

  get status(): HelperStatus {
    const { type, name } = this.#wanted
    const facts = this.#running?.helper.facts() ?? {}
    const error = this.#state === 'down' ? (this.#error ?? null) : null
    return { type, name, state: this.#state, since: this.#since, restarts: this.#restarts, error, facts }
  }

  /** Why it cannot do all it has to, although it runs; undefined when it can. */
  get trouble(): string | undefined {
    return this.#state === 'running' ? this.#trouble : undefined
  }

  /** Has it run like this. Resolves when that was tried. */
  want(wanted: Helper): Promise<void> {
    if (this.#goal === 'run' && equal(this.#wanted, wanted) && this.#state !== 'starting') return Promise.resolve()
    this.#goal = 'run'
    this.#wanted = wanted
    return this.#sync()
  }

  /** It will be stopped soon: it is not started again. */
  rest(): void {
    if (this.#goal === 'run') this.#goal = 'rest'
    clearTimeout(this.#again)
  }

  /** Stops it for good. */
  stop(reason: 'unwanted' | 'daemon-ends'): Promise<void> {
    this.#goal = reason
    clearTimeout(this.#again)
    return this.#sync()
  }

  /** Takes peers that changed. */
  change(subnet: Prefix, peer: HelperPeer | undefined): void {
    if (peer === undefined) this.#peers.delete(subnet)
    else this.#peers.set(subnet, peer)
    this.#untold?.add(subnet)
  }

  /** The peers are known: tells the helper of those that changed. */
  tell(): void {
    this.#untold ??= new Set(this.#peers.keys())
    this.#tellNow()
  }

  #tellNow(): void {
    if (this.#running === undefined || this.#untold === undefined) return
    if (this.#untold.size === 0 && this.#running.told) return
    // What the network no longer wants of it goes on as it is until it is stopped.
    if (this.#goal !== 'run') return
    const changed = this.#untold
    this.#untold = new Set()
    this.#running.told = true
    try {
      this.#running.helper.peers(this.#peers, changed)
    } catch (error) {
      this.#ended(this.#running.helper, messageOf(error))
    }
  }

  async #step(): Promise<void> {
    if (this.#goal === 'unwanted' || this.#goal === 'daemon-ends') return this.#end(this.#goal)
    if (this.#goal === 'rest') return
    const wanted = this.#wanted
    const running = this.#running
    if (running !== undefined && !equal(running.as, wanted)) {
      running.as = wanted
      if (!(await running.helper.update(wanted))) await this.#end('unwanted')
    }
    if (this.#running === undefined) await this.#start(wanted)
    else this.#tellNow()
  }

  async #start(wanted: Helper): Promise<void> {
    clearTimeout(this.#again)
    const { driver, strangers, log } = this.#parts
    const ended = (why: string): void => {
      if (started === undefined) early = why
      else this.#ended(started, why)
    }
    const troubled = (why: string | undefined): void => {
      if (started !== undefined && this.#running?.helper === started) this.#setTrouble(why)
    }
    this.#setTrouble(undefined)
    let early: string | undefined
    let started: RunningHelper<Helper, HelperPeer> | undefined
    try {
      started = await driver.start(wanted, { ended, troubled, strangers, log })
    } catch (error) {
      this.#down(messageOf(error))
      return
    }
    this.#running = { helper: started, as: wanted, began: performance.now(), told: false }
    if (early !== undefined) {
      this.#ended(started, early)
      return
    }
    const again = this.#state === 'down'
    if (again) this.#restarts++
    if (this.#untold !== undefined) this.#untold = new Set(this.#peers.keys())
    this.#tellNow()
    this.#enter('running', undefined)
    if (again) log.info(`${describe(wanted)}: running again`)
  }

  /** A helper has ended by itself. */
  #ended(helper: RunningHelper<Helper, HelperPeer>, why: string): void {
    if (this.#running?.helper !== helper) return
    if (performance.now() - this.#running.began >= CALM_MS) this.#backoff.reset()
    this.#running = undefined
    void helper.stop('unwanted').catch(() => undefined)
    if (this.#goal === 'run') this.#down(why)
  }

  #down(why: string): void {
    if (this.#goal !== 'run') return
    if (this.#state !== 'down' || this.#error !== why)
      this.#parts.log.error(`${describe(this.#wanted)}: ${why}; trying again`)
    this.#enter('down', why)
    clearTimeout(this.#again)
    this.#again = setTimeout(() => void this.#sync(), timerTime(this.#backoff.next()))
  }

  async #end(reason: 'unwanted' | 'daemon-ends'): Promise<void> {
    const running = this.#running
    this.#running = undefined
    try {
      await running?.helper.stop(reason)
    } catch (error) {
      this.#parts.log.warn(`${describe(this.#wanted)}: cannot be stopped: ${messageOf(error)}`)
    }
  }

  #setTrouble(why: string | undefined): void {
    if (this.#trouble === why) return
    this.#trouble = why
    this.#parts.troubled()
  }

  #enter(state: HelperStatus['state'], error: string | undefined): void {
    const same = state === this.#state && error === this.#error
    if (state !== this.#state) this.#since = Date.now()
    this.#state = state
    this.#error = error
    if (!same) this.#parts.changed()
  }
}

/** "forwarder of flannel0". */
export function describe({ type, name }: Pick<Helper, 'type' | 'name'>): string {
  return `${type} of ${name}`
}
