// Reports changes in how peers are doing: an event each, a log line each while they are few.
// Invariant: a peer that stays as it is says nothing; lines a minute are bounded, however many peers fail.
import type { Events } from '../health/events.ts'
import type { Log } from '../log.ts'
import type { PeerHealth } from './peer-health.ts'

/** Lines in a minute. */
const LINES = 10
const MINUTE_MS = 60_000

export class Announcer {
  readonly #log: Log
  readonly #events: Events
  #minute = -Infinity
  #said = 0
  #unsaid = 0

  constructor(log: Log, events: Events) {
    this.#log = log
    this.#events = events
  }

  /** Compares what was with what is; `now` is performance.now. */
  judged(subnet: string, before: PeerHealth | undefined, after: PeerHealth, now: number): void {
    const [was, is] = [wordOf(before), wordOf(after)]
    // A peer that is well when first looked at is no news, and neither is one of which nothing is known yet.
    if (was === is || (before === undefined && is === 'up') || after.state === 'unknown') return
    const bad = is !== 'up'
    const text = `peer ${subnet} ${after.state}${after.note === '' ? '' : `: ${after.note}`}`
    this.#events.happened('probe', text, { bad, peer: subnet })
    this.#line(now, bad, text)
  }

  #line(now: number, bad: boolean, text: string): void {
    if (now - this.#minute > MINUTE_MS) {
      if (this.#unsaid > 0) this.#log.warn(`and ${this.#unsaid} more changes of peers: flanneld peers lists them`)
      this.#minute = now
      this.#said = 0
      this.#unsaid = 0
    }
    if (this.#said++ >= LINES) this.#unsaid++
    else if (bad) this.#log.warn(text)
    else this.#log.info(text)
  }
}

/** What makes a difference. A first look that found nothing counts as well, until there is more. */
function wordOf(health: PeerHealth | undefined): string {
  if (health === undefined || health.state === 'unknown') return 'up'
  return health.cause === 'none' ? health.state : `${health.state} ${health.cause}`
}
