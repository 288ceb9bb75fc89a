// Probes the peers, round by round, for as long as the daemon runs.
// Invariants: it only looks: no route, neighbour or rule is its work; at most PEERS turns at a time; memory for those peers
// that were probed recently, and for those that are not healthy; without the right or the means to probe, one warning.
import { selfFor } from '../reconcile/intent.ts'
import { NEITHER, inFamily } from '../ip/by-family.ts'
import { pause } from '../async/wait.ts'
import { messageOf } from '../errors.ts'
import type { Peer } from '../backend.ts'
import type { Events } from '../health/events.ts'
import { type Prefix, addressOf, prefixFamily } from '../ip/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { keyOf } from '../kernel/state.ts'
import { samePeer } from '../lease/peer-check.ts'
import type { Log } from '../log.ts'
import { type Sessions, familiesIn, peerAt, peersIn, sessionOf } from '../overlay/sessions.ts'
import type { Readiness } from '../health/readiness.ts'
import type { SupervisedPart } from '../health/supervise.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import { Announcer } from './announce.ts'
import { EvidenceBook } from './evidence.ts'
import type { PeerHealth } from './peer-health.ts'
import type { Mark } from './echo.ts'
import { type ProbeHistory, expectedOf, judgeTurn } from './judge.ts'
import { type PeerPath, familiesOn, pathTo } from './path.ts'
import { DirectWays } from './direct-ways.ts'
import { KeptPinger } from './kept-pinger.ts'
import type { HeardRequest, Pinger } from './pinger.ts'
import { takeTurn } from './turn.ts'
import { PEERS, Turns } from './turns.ts'

/** What a prober works with. */
export interface ProberParts {
  readonly sessions: Sessions
  readonly reconciler: Reconciler
  readonly kernel: Pick<LiveKernel, 'neighborMac'>
  readonly readiness: Readiness
  readonly events: Events
  readonly log: Log
  /** Seconds between rounds; 0: no probing. */
  readonly interval: number
  /** Whose faults those of probing are. */
  readonly part: Pick<SupervisedPart, 'guard'>
  readonly signal: AbortSignal
}

/** The probing of all peers. */
export interface ProbeSummary {
  /** Why nothing is probed; undefined when it is. */
  readonly off: string | undefined
  /** Seconds between rounds. */
  readonly interval: number
  /** Peers by what was found; `unknown` includes those not probed recently. */
  readonly peers: Readonly<Record<PeerHealth['state'], number>>
  /** Peers to which packets of the full MTU got. */
  readonly proven: number
}

/** The most peers that are remembered: those probed last, and beyond KEPT only those that are not healthy. */
const KEPT = 4096
const MOST = 16_384
/** From being ready to the first round, about: hosts that start at the same time spread out. Milliseconds. */
const FIRST_MS = 1000
/** Between the beginnings of two turns of a round in a small cluster, on average. Milliseconds. */
const STAGGER_MS = 20
/** Turns that begin at the same time: a processor that was asleep takes longer to wake up than to send for one peer more. */
const TOGETHER = 4

/** A peer that was probed, as its lease was then. */
interface Probed {
  readonly peer: Peer
  readonly history: ProbeHistory
}

/** A peer whose turn can be taken. */
interface ReadyPeer {
  readonly peer: Peer
  readonly path: PeerPath
  readonly pinger: Pinger
}

export class Prober {
  readonly #parts: ProberParts
  readonly #announcer: Announcer
  readonly #evidence = new EvidenceBook()
  readonly #turns = new Turns<Prefix>()
  readonly #running = new Set<Prefix>()
  /** In the order of their last turn. */
  readonly #probed = new Map<Prefix, Probed>()
  readonly #pinger: KeptPinger
  readonly #ways: DirectWays
  /** A fault of ours that ended the probing. */
  #fault: string | undefined

  constructor(parts: ProberParts) {
    this.#parts = parts
    this.#announcer = new Announcer(parts.log, parts.events)
    const { log, part, signal, sessions, kernel } = parts
    this.#ways = new DirectWays({ sessions, kernel, announcer: this.#announcer, signal })
    const heard = (request: HeardRequest): void => {
      this.#heard(request)
    }
    this.#pinger = new KeptPinger({ heard, log, part, signal })
  }

  /** How a peer is doing; undefined when it was not probed recently. */
  healthOf(subnet: Prefix): PeerHealth | undefined {
    const probed = this.#probed.get(subnet)
    const peer = this.#peer(subnet)
    const same = probed?.peer === peer || (probed && peer && samePeer(probed.peer, peer))
    return same === true ? probed?.history : undefined
  }

  /** Every peer that was probed recently. */
  *judged(): Generator<readonly [Prefix, PeerHealth]> {
    for (const subnet of this.#probed.keys()) {
      const health = this.healthOf(subnet)
      if (health !== undefined) yield [subnet, health]
    }
  }

  summary(): ProbeSummary {
    const peers = { up: 0, degraded: 0, unreachable: 0, unknown: this.#peers.size }
    let proven = 0
    for (const subnet of this.#probed.keys()) {
      const health = this.healthOf(subnet)
      if (health === undefined || health.state === 'unknown') continue
      peers[health.state]++
      peers.unknown--
      if (health.cause === 'none' && health.pathMtu !== undefined) proven++
    }
    const { interval } = this.#parts
    const off = interval === 0 ? 'switched off by -probe-interval=0' : (this.#fault ?? this.#pinger.off)
    return { off, interval, peers, proven }
  }

  /** Probes until the signal aborts. Rejects for a fault of ours, and may be called again then. */
  async run(): Promise<void> {
    const { readiness, interval, part, signal } = this.#parts
    this.#pinger.close()
    this.#fault = undefined
    if (interval === 0) return
    // The start comes first: its time, and peers that learn of us only now.
    await new Promise<void>((resolve) => {
      if (readiness.ready) resolve()
      readiness.onChange((ready) => {
        if (ready) resolve()
      })
    })
    await pause(FIRST_MS * (0.5 + Math.random()), signal)
    const close = part.guard(() => {
      this.#pinger.close()
      this.#ways.close()
    })
    signal.addEventListener('abort', close, { once: true })
    for (let next = performance.now(); !signal.aborted;) {
      try {
        if (this.#peers.size > 0) await this.#pinger.open(familiesIn(this.#parts.sessions))
        if (this.#pinger.off === undefined) await this.#round()
      } catch (error) {
        this.#fault = messageOf(error)
        signal.removeEventListener('abort', close)
        throw error
      }
      next = Math.max(next + interval * 1000, performance.now())
      await pause(next - performance.now(), signal)
    }
  }

  async #round(): Promise<void> {
    const { reconciler, interval, part, signal } = this.#parts
    this.#forget()
    const most = PEERS - this.#running.size
    const chosen = this.#turns.next(this.#peers, (subnet) => this.#running.has(subnet), most, Math.random())
    if (chosen.length === 0) return
    // Those chosen may be new: their packets would go astray as long as the kernel has no entries for them.
    const refused = await reconciler.attempted()
    const failing = new Set(refused.map(({ change }) => keyOf(change.object)))
    const gap = this.#peers.size <= PEERS ? STAGGER_MS : (interval * 1000) / PEERS
    const turn = part.guard((subnet: Prefix) => this.#turn(subnet, failing))
    for (const [i, subnet] of chosen.entries()) {
      turn(subnet)
      if ((i + 1) % TOGETHER === 0) await pause(gap * TOGETHER, signal)
    }
  }

  async #turn(subnet: Prefix, failing: ReadonlySet<string>): Promise<void> {
    const { signal } = this.#parts
    const ready = this.#ready(subnet, failing)
    if (ready === undefined) return
    const { peer, path, pinger } = ready
    const before = this.healthOf(subnet) === undefined ? undefined : this.#probed.get(subnet)?.history
    this.#running.add(subnet)
    const from = performance.now()
    const mark = (): Omit<Mark, 'token'> | undefined =>
      this.#peer(subnet) === peer ? this.#markFor(subnet) : undefined
    const hint = before?.cause === 'path-mtu' ? (before.pathMtu ?? 0) : 0
    const turn = { path, hint, expected: expectedOf(before), pinger, mark, signal }
    const tried = path.onLink && this.#ways.try(peer, path.onLink, pinger)
    const [tallies, trial] = await Promise.all([takeTurn(turn), tried]).finally(() => this.#running.delete(subnet))
    if (tallies === undefined || pinger !== this.#pinger.current) return
    const evidence = this.#evidence.of(addressOf(subnet))
    const now = performance.now()
    const history = judgeTurn(before, { path, tallies, evidence, from, to: now, at: Date.now() })
    this.#probed.delete(subnet)
    this.#probed.set(subnet, { peer, history })
    this.#announcer.judged(peer, before, history, now)
    const unsettled = path.onLink !== undefined && this.#ways.judged(peer, path.onLink, tallies, trial)
    this.#turns.suspect(subnet, history.state !== 'up' || unsettled)
  }

  /** What a peer's turn works with; undefined for one that cannot be probed now. */
  #ready(subnet: Prefix, failing: ReadonlySet<string>): ReadyPeer | undefined {
    const [peer, pinger] = [this.#peer(subnet), this.#pinger.current]
    const path = peer && this.#pathTo(peer)
    if (peer === undefined || path === undefined || pinger === undefined) return undefined
    const passable = this.#pinger.reaches(familiesOn(path)) && !path.needs.some((key) => failing.has(key))
    return passable ? { peer, path, pinger } : undefined
  }

  /** The peers of all networks. */
  get #peers(): ReadonlyMap<Prefix, Peer> {
    return peersIn(this.#parts.sessions)
  }

  #peer(subnet: Prefix): Peer | undefined {
    return sessionOf(this.#parts.sessions, subnet)?.peers.get(subnet)
  }

  #pathTo(peer: Peer): PeerPath | undefined {
    const session = sessionOf(this.#parts.sessions, peer.subnet)
    const configured = session?.configured(peer.type)
    const self = session && selfFor(session.plan.intent, peer)
    return self && configured && pathTo(peer, self, configured)
  }

  /** What our requests to a peer say. */
  #markFor(subnet: Prefix): Omit<Mark, 'token'> {
    const { tunnelAt } = this.#evidence.of(addressOf(subnet))
    const heard = tunnelAt === undefined ? Infinity : (performance.now() - tunnelAt) / 1000
    const silent = (this.#probed.get(subnet)?.history.silentTurns ?? 0) > 0
    const subnets = sessionOf(this.#parts.sessions, subnet)?.inputs.subnets ?? NEITHER
    const own = inFamily(subnets, prefixFamily(subnet))
    return { subnet: own === undefined ? undefined : addressOf(own), silent, trial: false, heard }
  }

  /** Anyone can send a mark: it counts when it comes from an address of the peer it names. */
  #heard({ source, mark }: HeardRequest): void {
    const peer = mark.subnet === undefined ? undefined : peerAt(this.#parts.sessions, mark.subnet)
    if (peer === undefined || mark.trial) return
    const vtep = addressOf(peer.subnet)
    const lane = source === vtep ? 'tunnel' : source === peer.publicAddress ? 'underlay' : undefined
    if (lane === undefined) return
    this.#evidence.came(vtep, lane, mark.heard, performance.now())
    if (mark.silent) this.#turns.suspect(peer.subnet, true)
  }

  /** Drops those that are no peers any more, and when there are too many those probed longest ago. */
  #forget(): void {
    this.#ways.forget()
    let over = this.#probed.size - KEPT
    for (const [subnet, { history }] of this.#probed) {
      const gone = this.healthOf(subnet) === undefined
      if (gone || (over > 0 && (history.state === 'up' || over > MOST - KEPT))) {
        this.#probed.delete(subnet)
        over--
      }
    }
  }
}
