// The one loop that writes links, addresses, neighbours, FDB entries, nexthops and routes. Triggers only say what may
// be out of date; a pass compares and mends. Invariants: one pass at a time, everything pending goes into the next one;
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
const TURNS: readonly (readonly Kind[])[] = [['link', 'address'], ['fdb'], ['neighbor'], ['nexthop'], ['route']]

/** Milliseconds that drift may gather before it is mended: a flush of 1,000 routes is one pass. */
const GATHER_MS = 20

/**
 * What may be gone without a word when the kernel tells of one kind: a device set down, or without its last address, loses
 * its routes and neighbours, a nexthop its routes. When a device is deleted, its entries are told of first.
 */
const TAKEN_ALONG: Readonly<Record<Kind, readonly Kind[]>> = {
  link: KINDS,
  address: KINDS,
  fdb: ['link', 'fdb'],
  neighbor: ['link', 'neighbor'],
  nexthop: ['link', 'nexthop', 'route'],
  route: ['link', 'nexthop', 'route'],
}

/** What one pass works off. */
interface PassWork {
  /** Whether it is changed peers alone, since an audit can wait. */
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
  /** Names of every device we wanted so far and have not yet seen deleted. */
  readonly #devices = new Set<string>()
  /** Digests of kinds that were read and made as wanted. */
  readonly #cleanDigests = new Map<Kind, number>()
  readonly #conflicts: Conflicts
  readonly #networks = new Networks()
  /** Whether the last pass left an audit to the next. */
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

  /** Tells that somebody else touched what is ours, or that we lost sight. */
  drift(drift: Drift): number {
    this.report.drifts.add(drift.type === 'overrun' ? 'overrun' : drift.kind)
    return this.#mark('drift', drift.type === 'overrun' ? KINDS : TAKEN_ALONG[drift.kind])
  }

  /** Reads everything again, to catch what notifications missed. */
  audit(kinds: readonly Kind[] = KINDS): number {
    return this.#mark('audit', kinds)
  }

  /** Audits kind by kind: what changes meanwhile waits for the reading of one kind at most. */
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

  /** For how long the pass at hand has been running, in milliseconds; 0 between passes. */
  get busyFor(): number {
    return this.#passBegan === undefined ? 0 : performance.now() - this.#passBegan
  }

  /** Whether a device is ours, one on its way out included. */
  isOurDevice(name: string): boolean {
    return this.#devices.has(name)
  }

  /** The foreign objects in our way. */
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
    if (outcome !== 'broken off') {
      this.#tried = revision
      this.#tries = releaseWaiters(this.#tries, revision)
    }
    if (outcome === 'whole') {
      this.#backoff.reset()
      this.#done = revision
      this.#waiters = releaseWaiters(this.#waiters, revision)
    } else {
      // A new trigger cuts the wait short: the cause may just have been mended.
      const wait = this.#backoff.next()
      await Promise.race([pause(wait, signal), new Promise<void>((resolve) => (this.#wake = resolve))])
    }
  }

  /** One pass; how much of it was applied. */
  async #attempt(): Promise<'whole' | 'peers alone' | 'in part' | 'broken off'> {
    if (this.#networks.intents.length === 0) return 'whole'
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
      this.report.passed(performance.now() - began)
      this.#finish(result)
      if (result.failures.length > 0) return 'in part'
      return work.alone ? 'peers alone' : 'whole'
    } catch (error) {
      this.report.brokenOff(messageOf(error))
      for (const kind of KINDS) this.#stale.set(kind, 'retry')
      this.#networks.putBack(work.taken)
      return 'broken off'
    }
  }

  /** Takes what the next pass works off; what comes from now on is for the one after it. */
  #take(): PassWork {
    // Peers do not wait for an audit, but an audit waits for them once at most.
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
    // What is refused may be so because of its device; what depends on a refused device was not deleted, whatever its kind.
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
    // What another intent changes is no repair, whatever happens beside it.
    for (const kind of kinds) if (this.#stale.get(kind) !== 'intent') this.#stale.set(kind, why)
    return this.#trigger()
  }

  #trigger(): number {
    this.#requested++
    this.#wake()
    return this.#requested
  }
}
