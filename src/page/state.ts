// Gathers what the page shows of the daemon, at every point of its life: before etcd answers there are only reasons.
// Invariant: looking asks nobody, so it is done once a second; the status, which asks etcd and the kernel, is read apart, every few
// seconds and after events, one reading at a time.
import { setTimeout as pause } from 'node:timers/promises'
import { dockerBridge } from '../view/docker0.ts'
import { messageOf } from '../errors.ts'
import type { CurrentDaemon } from '../view/running-daemon.ts'
import { peersOf } from '../view/peers.ts'
import { factsOf } from '../view/status-text.ts'
import { statusOf } from '../view/status.ts'
import { readSubnetEnv } from '../host/subnet-env.ts'
import { isAnswer } from '../health/supervise.ts'
import { verdictOf } from '../view/verdict.ts'
import { Leases } from './leases.ts'
import type { PagePeer, PageState } from './shape.ts'

/** So many peers are shown at most; a browser can hold no more in a picture. */
const PEERS = 5000
/** So many events. */
const EVENTS = 100
/** A status counts as fresh so long, while nothing happens. Milliseconds. */
const FRESH_MS = 5000
/** Who asks for the first time waits so long for a status at most. Milliseconds. */
const FIRST_MS = 1500

/** What the status says. */
type Judged = Pick<PageState, 'verdict' | 'host' | 'facts'>

export class Gathering {
  readonly #current: CurrentDaemon
  readonly #leases: Leases
  #judged: Judged | undefined
  #reading: Promise<void> | undefined
  /** When it was read, in performance.now's milliseconds, and the last event before. */
  #read = { at: Number.NEGATIVE_INFINITY, event: 0 }

  constructor(current: CurrentDaemon) {
    this.#current = current
    this.#leases = new Leases(current)
  }

  /** The state with a status of these seconds, if one comes in time. */
  async settled(): Promise<PageState> {
    this.#refresh()
    await Promise.race([this.#reading, pause(FIRST_MS, undefined, { ref: false })])
    return this.look()
  }

  /** The state as it is known now. */
  look(): PageState {
    this.#refresh()
    const daemon = this.#current()
    const { version, events } = daemon
    const peers = peersOf(daemon)
    const shown = peers.length <= PEERS ? peers : troubleFirst(peers).slice(0, PEERS)
    return {
      version,
      at: Date.now(),
      ...(this.#judged ?? this.#unjudged('starting', 'reading the status')),
      peers: shown,
      unshown: peers.length - shown.length,
      leases: this.#leases.latest(),
      events: events.recent.slice(-EVENTS),
    }
  }

  #refresh(): void {
    const event = this.#current().events.recent.at(-1)?.id ?? 0
    const fresh = performance.now() - this.#read.at < FRESH_MS && event === this.#read.event
    if (fresh || this.#reading !== undefined) return
    this.#reading = this.#judge()
      .catch((error: unknown) => {
        if (!isAnswer(error)) this.#current().supervisor.part('page').failed(error)
        return this.#unjudged('unknown', messageOf(error))
      })
      .then((judged) => {
        this.#judged = judged
        this.#read = { at: performance.now(), event }
        this.#reading = undefined
      })
  }

  async #judge(): Promise<Judged> {
    const daemon = this.#current()
    const [status, docker] = await Promise.all([
      statusOf(daemon),
      readSubnetEnv(daemon.options.subnetFile).then(dockerBridge),
    ])
    const now = Date.now()
    const { word, summary, reasons, remarks } = verdictOf(status, docker, now)
    return {
      verdict: {
        word,
        summary,
        reasons: [
          ...reasons.map(({ text, run }) => ({ text, run })),
          ...remarks.map(({ level, text, run }) => ({ text: `${level}: ${text}`, run })),
        ],
      },
      host: {
        name: status.host,
        subnet: status.lease?.subnet ?? null,
        address: status.address,
        since: status.since,
      },
      // Columns are for terminals.
      facts: factsOf(status, now).map(({ label, text }) => ({ label, text: text.replaceAll(/ {2,}/g, ' · ') })),
    }
  }

  #unjudged(word: string, why: string): Judged {
    const { readiness, since } = this.#current()
    const reasons = [why, ...readiness.reasons].map((text) => ({ text, run: null }))
    return {
      verdict: { word, summary: '', reasons },
      host: { name: '', subnet: null, address: null, since },
      facts: [],
    }
  }
}

function troubleFirst<T extends PagePeer>(peers: readonly T[]): readonly T[] {
  const well = ({ state }: PagePeer): boolean => state === 'up' || state === 'unknown'
  return [...peers.filter((peer) => !well(peer)), ...peers.filter(well)]
}
