// The leases as the page shows them, read from etcd now and then while the page is open.
// Invariant: one request at a time, each a single range. When etcd does not answer, the last result stays, with a note.
import { primarySubnet } from '../lease/lease.ts'
import { messageOf } from '../errors.ts'
import { type LeaseLine, type LeaseView, familiesOfLease, readLeases } from '../view/leases.ts'
import { type CurrentDaemon, primarySession, storeIn, whenRunning } from '../view/running-daemon.ts'
import type { PageLease, PageLeases } from './shape.ts'

/** How long a result is fresh, in milliseconds. */
const FRESH_MS = 10_000
/** The end of a lease takes a request each: with more peers than this it is not read. */
const TIMES = 200

/** The order of the list. */
const ORDER: readonly PageLease['kind'][] = ['ours', 'expiring', 'reserved', 'lease']

export class Leases {
  readonly #current: CurrentDaemon
  #last: PageLeases = { facts: [], list: [] }
  #readAt = Number.NEGATIVE_INFINITY
  #reading = false

  constructor(current: CurrentDaemon) {
    this.#current = current
  }

  /** The last result. When it is no longer fresh, another read is started for the next call. */
  latest(): PageLeases {
    const daemon = this.#current()
    const { options, supervisor } = daemon
    const running = whenRunning(daemon)
    const session = running && primarySession(running)
    const store = storeIn(daemon)
    if (store !== undefined && !this.#reading && performance.now() - this.#readAt > FRESH_MS) {
      this.#reading = true
      const times = (session?.peers.size ?? 0) <= TIMES
      const read = readLeases(store, options.etcdPrefix, { own: session && primarySubnet(session.inputs), times })
        .then(
          (view) => (this.#last = shown(view, Date.now())),
          (error: unknown) => (this.#last = { ...this.#last, facts: [{ label: 'not read', text: messageOf(error) }] }),
        )
        .finally(() => {
          this.#reading = false
          this.#readAt = performance.now()
        })
      supervisor.part('page').guard(() => read)()
    }
    return this.#last
  }
}

/** `now` in milliseconds since 1970. Pure. */
function shown({ ranges, trouble, leases }: LeaseView, now: number): PageLeases {
  const list = leases.map((line) => lineOf(line, now))
  const place = ({ kind, note }: PageLease): number => (kind === 'lease' && note !== '' ? 1 : ORDER.indexOf(kind))
  return {
    facts: [
      ...ranges.flatMap(({ network, used, total, reserved, free, next }) => [
        { label: 'network', text: network },
        { label: 'used', text: `${used} of ${total} subnets, ${reserved} reserved` },
        { label: 'free', text: `${free}${next === null ? '' : `, ${next} the first`}` },
      ]),
      ...(trouble === '' ? [] : [{ label: 'trouble', text: trouble }]),
    ],
    list: list.toSorted((a, b) => place(a) - place(b)),
  }
}

function lineOf(line: LeaseLine, now: number): PageLease {
  const { subnet, publicAddress, type, kind, own, expiring, expiresIn, note } = line
  const others = familiesOfLease(line).slice(1)
  return {
    subnet,
    publicAddress: publicAddress ?? '',
    others: others.map((other) => ({ subnet: other.subnet, address: other.publicAddress })),
    backend: type ?? '',
    kind: own ? 'ours' : kind === 'reservation' ? 'reserved' : expiring ? 'expiring' : 'lease',
    expires: expiresIn === null ? null : now + expiresIn * 1000,
    note,
  }
}
