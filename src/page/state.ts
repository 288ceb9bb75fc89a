// Gathers what the page shows of the daemon, at every point of its life: before etcd answers there are only reasons.
// Invariant: looking asks nobody, so it is done once a second; status and verdict are those everybody reads, and somebody who looks
// has the host examined every few seconds and after events.
import { setTimeout as pause } from 'node:timers/promises'
import type { CurrentDaemon, RunningDaemon } from '../view/running-daemon.ts'
import { peersOf } from '../view/peers.ts'
import { factsOf } from '../view/status-text.ts'
import { Leases } from './leases.ts'
import type { PagePeer, PageState } from './shape.ts'

/** The most peers that are shown; a browser can hold no more in a picture. */
const PEERS = 5000
/** The most events. */
const EVENTS = 100
/** How long an examination is fresh while nothing happens: for a single request, and for a live stream. Milliseconds. */
const FRESH_MS = { asked: 2000, followed: 5000 }
/** How long a request waits for an examination at most. Milliseconds. */
const FIRST_MS = 1500

/** What the status says. */
type Judged = Pick<PageState, 'verdict' | 'host' | 'facts'>

export class Gathering {
  readonly #current: CurrentDaemon
  readonly #leases: Leases
  #examining: Promise<unknown> | undefined
  /** The last event when the host was last examined for the page. */
  #event = -1

  constructor(current: CurrentDaemon) {
    this.#current = current
    this.#leases = new Leases(current)
  }

  /** The state by an examination of these seconds, if one ends in time. */
  async settled(): Promise<PageState> {
    this.#refresh(FRESH_MS.asked)
    await Promise.race([this.#examining, pause(FIRST_MS, undefined, { ref: false })])
    return this.look()
  }

  /** The state as it is known now. */
  look(): PageState {
    this.#refresh(FRESH_MS.followed)
    const daemon = this.#current()
    const { version, events } = daemon
    const peers = peersOf(daemon)
    const shown = peers.length <= PEERS ? peers : troubleFirst(peers).slice(0, PEERS)
    return {
      version,
      at: Date.now(),
      ...judgedOf(daemon),
      peers: shown,
      unshown: peers.length - shown.length,
      leases: this.#leases.latest(),
      events: events.recent.slice(-EVENTS),
    }
  }

  /** Has the host examined where the last examination is too old, or something happened since. */
  #refresh(freshMs: number): void {
    if (this.#examining !== undefined) return
    const { events, health } = this.#current()
    const event = events.recent.at(-1)?.id ?? 0
    const happened = event !== this.#event
    this.#event = event
    this.#examining = health.fresh(happened ? 0 : freshMs).finally(() => {
      this.#examining = undefined
    })
  }
}

function judgedOf({ health: { latest }, since }: RunningDaemon): Judged {
  const { status } = latest
  const { word, summary, reasons, remarks } = latest.verdict
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
      name: status?.host ?? '',
      subnet: status?.lease?.subnet ?? null,
      address: status?.address ?? null,
      others: (status?.families ?? [])
        .slice(1)
        .flatMap(({ subnet, address }) => (subnet === null ? [] : [{ subnet, address }])),
      since,
    },
    // Columns are for terminals.
    facts:
      status === undefined
        ? []
        : factsOf(status, latest.at).map(({ label, text }) => ({ label, text: text.replaceAll(/ {2,}/g, ' · ') })),
  }
}

function troubleFirst<T extends PagePeer>(peers: readonly T[]): readonly T[] {
  const well = ({ state }: PagePeer): boolean => state === 'up' || state === 'unknown'
  return [...peers.filter((peer) => !well(peer)), ...peers.filter(well)]
}
