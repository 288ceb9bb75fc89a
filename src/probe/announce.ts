// Reports changes in how peers are doing: an event each, a log line each while they are few.
// Invariant: a peer that stays as it is says nothing; lines a minute are bounded, however many peers fail.
import type { Peer } from '../backend.ts'
import { onlySubnet, orElse } from '../ip/by-family.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import { primarySubnet } from '../lease/lease.ts'
import type { Events } from '../health/events.ts'
import type { Log } from '../log.ts'
import type { PeerHealth } from './peer-health.ts'

/** The peer that was judged. */
type Announced = Pick<Peer, 'subnet' | 'also'>

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
  judged(peer: Announced, before: PeerHealth | undefined, after: PeerHealth, now: number): void {
    const [was, is] = [wordOf(before), wordOf(after)]
    // A peer that is well when first looked at is no news, and neither is one of which nothing is known yet.
    if (was === is || (before === undefined && is === 'up') || after.state === 'unknown') return
    const bad = is !== 'up'
    const { host, family } = namesOf(peer)
    const text = `peer ${host} ${after.state}${family}${after.note === '' ? '' : `: ${after.note}`}`
    this.#events.happened('probe', text, { bad, peer: host })
    this.#line(now, bad, text)
  }

  /** Packets to a peer on our link go directly now, or by its tunnel again. */
  wentOver(peer: Announced, direct: boolean, before: boolean, now: number): void {
    // That a link carries nothing of containers is no change.
    if (direct === before) return
    const { host, family } = namesOf(peer)
    const why = `our LAN ${direct ? 'carries' : 'no longer carries'} packets of containers`
    const text = `peer ${host} reached ${direct ? 'without a tunnel' : 'through the tunnel again'}${family}: ${why}`
    this.#events.happened('probe', text, { bad: !direct, peer: host })
    this.#line(now, !direct, text)
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

/** A host with two families is called by one subnet, as everywhere; which of its families was probed is said as well. */
function namesOf({ subnet, also }: Announced): { readonly host: Prefix; readonly family: string } {
  if (also === undefined) return { host: subnet, family: '' }
  const subnets = orElse(onlySubnet(subnet), onlySubnet(also))
  return { host: primarySubnet({ subnets }), family: ` by IPv${prefixFamily(subnet)}` }
}

/** What makes a difference. A first look that found nothing counts as well, until there is more. */
function wordOf(health: PeerHealth | undefined): string {
  if (health === undefined || health.state === 'unknown') return 'up'
  return health.cause === 'none' ? health.state : `${health.state} ${health.cause}`
}
