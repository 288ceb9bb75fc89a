// The one loop that writes links, addresses, neighbours, FDB entries, nexthops and routes. Triggers only say what may
// be out of date; a pass compares and repairs. Invariants: one pass at a time, everything pending goes into the next one;
// nothing is deleted before the peers are known completely; one refused change never holds up the others.
import { messageOf } from '../errors.ts'
import type { ObjectConflict } from '../kernel/diff.ts'
import type { Drift, Failure, Kernel } from '../kernel/kernel.ts'
import { KINDS, type KernelObject, type Kind, keyOf } from '../kernel/state.ts'
import type { Log } from '../log.ts'
import type { EventSink } from '../health/events.ts'
import { Backoff, pause } from '../async/wait.ts'
import { type Intent, domainOf } from './intent.ts'
import { type ChangedPeer, type NetworkKey, Networks, type Taken } from './networks.ts'
import { type PassResult, type Peers, makePass } from './pass.ts'
import { Conflicts } from './conflicts.ts'
import { Report, type Staleness } from './report.ts'
import { type Waiter, releaseWaiters } from './waiters.ts'

/** The kinds, as they are audited one after the other. */
const TURNS: readonly (readonly Kind[])[] = [
  ['link', 'address'],
  ['wireguard-peer'],
  ['fdb'],
  ['neighbor'],
  ['nexthop'],
  ['policy'],
  ['route'],
]

/** How long drift may accumulate before a pass repairs it: a flush of 1,000 routes is one pass. Milliseconds. */
const GATHER_MS = 20

/**
 * The kinds that may have lost objects without a notification when the kernel reports a change of one kind: a device that is
 * set down or loses its last address loses its routes and neighbours, a nexthop loses its routes. The entries of a deleted
 * device are reported first.
 */
const TAKEN_ALONG: Readonly<Record<Kind, readonly Kind[]>> = {
  link: KINDS,
  address: KINDS,
  'wireguard-peer': ['link', 'wireguard-peer'],
  fdb: ['link', 'fdb'],
  neighbor: ['link', 'neighbor'],
  nexthop: ['link', 'nexthop', 'route'],
  policy: ['policy'],
  route: ['link', 'nexthop', 'route'],
}

/** What one pass has to do. */
interface PassWork {
  /** Whether it is only changed peers, since an audit can wait. */
  readonly alone: boolean
  readonly stale: ReadonlyMap<Kind, Staleness>
  readonly taken: Taken
}

/** The network of a host that has one. */
const ONLY: NetworkKey = {}

export class Reconciler {
  readonly report: Report
  readonly #kernel: Kernel
  readonly #passed: (report: Report) => void
  readonly #backoff = new Backoff(250, 30_000)
  /** Names of every device we have wanted and not yet seen deleted. */
  readonly #devices = new Set<string>()
  /** Digests of kinds after they were read and found, or made, as wanted. */
  readonly #cleanDigests = new Map<Kind, number>()
  readonly #conflicts: Conflicts
  readonly #networks = new Networks()
  /** Whether the last pass deferred an audit. */
  #deferred = false
  #stale = new Map<Kind, Staleness>()
  #passBegan: number | undefined
  #requested = 0
  #done = 0
  #wake: () => void = () => undefined
  #tried = 0
  #failures: readonly Failure[] = []
  #waiters: Waiter[] = []
  #tries: Waiter[] = []

  /** `passed` is called after each pass, `events` gets repairs and conflicts. */
  constructor(kernel: Kernel, log: Log, passed: (report: Report) => void = () => undefined, events?: EventSink) {
    this.#kernel = kernel
    this.#passed = passed
    this.report = new Report(log, events)
    this.#conflicts = new Conflicts(this.report)
  }

  /** Sets what a network wants. */
  want(intent: Intent, network = ONLY): number {
    this.#networks.want(network, intent)
    for (const name of domainOf(intent).devices) this.#devices.add(name)
    return this.#mark('intent', KINDS)
  }

  /** The peers of a network are those of a complete listing: once they are in every network, deletions are allowed. */
  peersComplete(network = ONLY): number {
    return this.#networks.complete(network) ? this.#mark('intent', KINDS) : this.#requested
  }

  /** Takes the peers of a network that came, changed or went. `peers` are all of them, read again at each pass. */
  peersChanged(peers: Peers, changes: Iterable<ChangedPeer>, network = ONLY): number {
    this.#networks.change(network, peers, changes)
    return this.#trigger()
  }

  /** Another program changed an object of ours, or notifications were lost. */
  drift(drift: Drift): number {
    this.report.drifts.add(drift.type === 'overrun' ? 'overrun' : drift.kind)
    return this.#mark('drift', drift.type === 'overrun' ? KINDS : TAKEN_ALONG[drift.kind])
  }

  /** Reads these kinds again, to find what no notification reported. */
  audit(kinds: readonly Kind[] = KINDS): number {
    return this.#mark('audit', kinds)
  }

  /** Audits kind by kind, so that a change waits for the reading of one kind at most. */
  async auditInTurns(): Promise<void> {
    for (const kinds of TURNS) await this.attempted(this.audit(kinds))
    this.report.audited()
  }

  /** Resolves when everything asked for up to `revision` (default: up to now) went through a pass without a failure. */
  settled(revision = this.#requested): Promise<void> {
    if (this.#done >= revision) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }))
  }

  /** Resolves when everything asked for up to `revision` went through a pass, with what the kernel refused of it. */
  attempted(revision = this.#requested): Promise<readonly Failure[]> {
    if (this.#tried >= revision) return Promise.resolve(this.#failures)
    return new Promise((resolve) =>
      this.#tries.push({
        revision,
        resolve: () => {
          resolve(this.#failures)
        },
      }),
    )
  }

  /** How long the current pass has been running, in milliseconds; 0 between passes. */
  get busyFor(): number {
    return this.#passBegan === undefined ? 0 : performance.now() - this.#passBegan
  }

  /** Whether a device is ours, or was and is being deleted. */
  isOurDevice(name: string): boolean {
    return this.#devices.has(name)
  }

  /** The foreign objects in the place of ours. */
  get conflicts(): readonly ObjectConflict[] {
    return this.#conflicts.all
  }

  /** Runs until the signal aborts; the kernel stays as it is then. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => {
      this.#wake()
    }
    signal.addEventListener('abort', stop)
    try {
      for (;;) {
        if (this.#done === this.#requested && !signal.aborted)
          await new Promise<void>((resolve) => (this.#wake = resolve))
        if (signal.aborted) break
        if ([...this.#stale.values()].includes('drift')) await pause(GATHER_MS, signal)
        await this.#turn(signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const revision = this.#requested
    this.#passBegan = performance.now()
    const outcome = await this.#attempt()
    this.#passBegan = undefined
    this.#passed(this.report)
    if (outcome === 'peers alone') {
      this.#backoff.reset()
      return
    }
    if (outcome !== 'aborted') {
      this.#tried = revision
      this.#tries = releaseWaiters(this.#tries, revision)
    }
    if (outcome === 'complete') {
      this.#backoff.reset()
      this.#done = revision
      this.#waiters = releaseWaiters(this.#waiters, revision)
    } else {
      // A new trigger ends the wait: the cause may be gone.
      const wait = this.#backoff.next()
      await Promise.race([pause(wait, signal), new Promise<void>((resolve) => (this.#wake = resolve))])
    }
  }

  /** Makes one pass. Returns how much of it was applied. */
  async #attempt(): Promise<'complete' | 'peers alone' | 'in part' | 'aborted'> {
    if (this.#networks.intents.length === 0) return 'complete'
    const work = this.#take()
    try {
      const began = performance.now()
      const result = await makePass({
        kernel: this.#kernel,
        networks: work.taken.networks,
        domain: this.#networks.domain(this.#devices),
        stale: work.stale,
        complete: work.taken.complete,
        appliedBefore: work.taken.appliedBefore,
        conflicts: this.#conflicts,
        refused: new Set(this.#failures.map(({ change }) => (change.verb === 'add' ? keyOf(change.object) : ''))),
        cleanDigests: this.#cleanDigests,
      })
      if (work.taken.complete) this.#networks.applied(work.taken)
      if (work.stale.size === KINDS.length) this.report.audited()
      if (work.stale.size === KINDS.length && work.taken.complete && result.failures.length === 0)
        this.#networks.cleared(work.taken)
      this.report.passed(performance.now() - began)
      this.#finish(result)
      if (result.failures.length > 0) return 'in part'
      return work.alone ? 'peers alone' : 'complete'
    } catch (error) {
      this.report.brokenOff(messageOf(error))
      for (const kind of KINDS) this.#stale.set(kind, 'retry')
      this.#networks.putBack(work.taken)
      return 'aborted'
    }
  }

  /** Takes what the next pass has to do. What comes later is for the pass after it. */
  #take(): PassWork {
    // Peers do not wait for an audit. An audit waits for them at most once.
    const alone = !this.#deferred && this.#networks.changed && this.#stale.size > 0 && this.#onlyAudits()
    this.#deferred = alone
    const stale = alone ? new Map<Kind, Staleness>() : this.#stale
    if (!alone) this.#stale = new Map()
    return { alone, stale, taken: this.#networks.take() }
  }

  #finish({ failures, deleted, work }: PassResult): void {
    for (const [kind, done] of work) this.report.wrote(kind, done)
    this.report.failed(failures)
    this.#forgetDevices(deleted, failures)
    this.#failures = failures
    // An object may be refused because of its device. Objects that depend on a refused device were not deleted, whatever their kind.
    for (const { kind } of failures.map(({ change }) => change.object))
      for (const one of kind === 'link' ? KINDS : (['link', kind] as const)) this.#stale.set(one, 'retry')
  }

  #onlyAudits(): boolean {
    return [...this.#stale.values()].every((why) => why === 'audit')
  }

  #forgetDevices(deleted: readonly KernelObject[], failures: readonly Failure[]): void {
    const wanted = new Set(
      this.#networks.intents.flatMap((intent) => [...domainOf({ ...intent, leftovers: [] }).devices]),
    )
    for (const object of deleted) {
      const failed = failures.some((failure) => failure.change.object === object)
      if (object.kind === 'link' && !failed && !wanted.has(object.name)) this.#devices.delete(object.name)
    }
  }

  #mark(why: Staleness, kinds: readonly Kind[]): number {
    // What a new intent changes is no repair, whatever else happens at the same time.
    for (const kind of kinds) if (this.#stale.get(kind) !== 'intent') this.#stale.set(kind, why)
    return this.#trigger()
  }

  #trigger(): number {
    this.#requested++
    this.#wake()
    return this.#requested
  }
}
