// Follows etcd: one watch over our prefix gives the network config, the peers' leases and our own.
// Invariant: peers are withdrawn for what etcd says, never for its silence, nor at once when etcd itself lost its data.
import type { ExternalInterface } from '../backend.ts'
import { equal } from '../equal.ts'
import { type ByFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import { type FollowParts } from './follow-parts.ts'
import { ConfigFollower } from './follow-config.ts'
import type { StoreChange, StoreEntry, WatchStep } from '../etcd/store.ts'
import { Hold } from '../lease/hold.ts'
import { FamilyPeers, type RulesByFamily } from '../lease/family-peers.ts'
import { Departures, movedBy } from '../lease/departures.ts'
import { subnetsFolder } from '../lease/codec.ts'
import { type EtcdLoss, lossIn, withoutDeletions } from '../lease/loss.ts'
import { Liveness } from '../lease/liveness.ts'
import type { PeerStep } from '../lease/peer-step.ts'
import type { Log } from '../log.ts'
import { reporter } from '../health/reporter.ts'
import { PeerEvents } from './peer-events.ts'
import { peerRules } from '../overlay/peer-rules.ts'
import { inPortions } from '../async/chunks.ts'
import { ShutOuts } from './shut-outs.ts'
import { leasesIn, leaseChanges } from './step-entries.ts'

/** Follows until the signal aborts. */
export async function follow(parts: FollowParts): Promise<void> {
  const follower = new Follower(parts)
  while (!parts.signal.aborted) await follower.round()
}

class Follower {
  readonly #parts: FollowParts
  readonly #log: Log
  readonly #config: ConfigFollower
  /** Ends the round under way. */
  #again = new AbortController()
  readonly #peerEvents: PeerEvents
  readonly #table: FamilyPeers
  readonly #shutOuts: ShutOuts
  readonly #hold: Hold
  readonly #departures: Departures
  readonly #liveness: Liveness
  readonly #folder: string
  #revision = 0n
  #fresh = true
  #connected = true
  /** Whether the first listing was taken over. */
  #complete = false
  /** The rules that read the last listing. */
  #readBy: ReadBy | undefined

  constructor(parts: FollowParts) {
    this.#parts = parts
    this.#log = reporter('store', parts.log.part('etcd'), parts.events)
    this.#peerEvents = new PeerEvents(parts.log.part('peers'), parts.events)
    this.#hold = new Hold(this.#log, parts.conditions, parts.holdMs)
    this.#liveness = new Liveness(parts.store, parts.signal, () => {
      this.#resettle()
    })
    this.#departures = new Departures((gone) => {
      this.#gone(gone)
    }, parts.signal)
    this.#config = new ConfigFollower(parts, () => {
      this.#again.abort()
    })
    this.#folder = subnetsFolder(parts.options.etcdPrefix)
    this.#shutOuts = new ShutOuts(parts.options.etcdPrefix, parts.conditions, parts.log.part('peers'))
    this.#table = new FamilyPeers(parts.options.etcdPrefix, this.#rules())
  }

  /** One listing and what follows, until the rules for reading leases change or a hold is over. */
  async round(): Promise<void> {
    const { store, listing, options, signal, session } = this.#parts
    const again = (this.#again = new AbortController())
    const left = this.#hold.look()
    const timer =
      left > 0
        ? setTimeout(() => {
            again.abort()
          }, left + 100)
        : undefined
    const changed = (): void => {
      if (!equal(this.#readBy, this.#readsBy())) again.abort()
    }
    session.onChange(changed)
    const steps = store.watch(`${options.etcdPrefix}/`, AbortSignal.any([signal, again.signal]), listing)
    while (await this.#take(steps.next())) continue
    await steps.return?.()
    session.offChange(changed)
    clearTimeout(timer)
  }

  /**
   * Takes one step; false when it was the last, or the leases have to be listed again. Only this function holds the step: a
   * `for await` would keep the first one, with every lease in it, until the next arrives.
   */
  async #take(next: Promise<IteratorResult<WatchStep>>): Promise<boolean> {
    const result = await next
    if (result.done === true) return false
    const step = result.value
    this.#noteConnection(step)
    if (step.type === 'disconnected') return true
    this.#parts.session.lease.observe(step)
    if (await this.#config.take(step)) return false
    const { externals } = this.#parts.session.inputs
    const publicAddresses = valuesOf(externals).map(({ publicAddress }) => publicAddress)
    const { added, removed } = this.#shutOuts.take(step, publicAddresses)
    if (removed.length > 0 && step.type === 'changes') return false
    if (added.length > 0 && this.#complete) this.#report(this.#table.shutOut(), step)
    return !(await this.#peers(step))
  }

  /** Takes the leases of a step; whether peers are kept from now on that are not in it. */
  async #peers(step: Exclude<WatchStep, { type: 'disconnected' }>): Promise<boolean> {
    const { session, reconciler, readiness } = this.#parts
    const loss = this.#lossIn(step)
    this.#revision = BigInt(step.type === 'snapshot' ? step.snapshot.revision : step.revision)
    const holds = loss !== undefined && this.#hold.begin(loss, this.#table.peers.size)
    if (loss !== undefined) this.#departures.forget()
    const result =
      step.type === 'snapshot'
        ? await this.#listing(leasesIn(step.snapshot.entries, this.#folder))
        : this.#changes(leaseChanges(loss === undefined ? step.changes : withoutDeletions(step.changes), this.#folder))
    this.#report(result, step)
    if (this.#complete) return holds
    for await (const portion of inPortions(result.changes)) session.countPeers(portion)
    session.peersChanged(this.#table.peers, [])
    this.#complete = true
    // Not earlier: it may change the peers, and the first ones are counted before.
    this.#liveness.watch(this.#table.rivals)
    void reconciler.settled(reconciler.peersComplete(session)).then(() => {
      readiness.good('peers')
    })
    this.#peerEvents.complete(this.#table.peers.size, this.#revision)
    return holds
  }

  #lossIn(step: WatchStep): EtcdLoss | undefined {
    const { lease } = this.#parts.session
    const ranOut = Date.now() > (lease.expires() ?? Infinity)
    return lossIn(step, { ownKey: lease.own().key, folder: this.#folder, revision: this.#revision, ranOut })
  }

  /** Passes on the result of a step; the session gets the first listing in portions. */
  #report(result: PeerStep, step: Exclude<WatchStep, { type: 'disconnected' }>): void {
    const { session, leaseStats, options } = this.#parts
    this.#peerEvents.say(result, this.#complete ? 'later' : 'first')
    leaseStats.take(options.etcdPrefix, step, this.#table, result)
    if (!this.#complete) return
    session.peersChanged(this.#table.peers, result.changes)
    this.#liveness.watch(this.#table.rivals)
  }

  /** Until the session has the table, which then is read at any time, it may be filled in portions. */
  async #listing(leases: readonly StoreEntry[]): Promise<PeerStep> {
    const rules = this.#rules()
    this.#readBy = this.#readsBy()
    const fresh = this.#fresh
    this.#fresh = false
    if (fresh) return this.#table.first(leases, rules)
    const result = this.#table.snapshot(leases, rules, 'keep')
    const present = new Set(leases.map(({ key }) => key))
    const absent = this.#hold.left > 0 ? [] : this.#table.absentFrom(present)
    this.#departures.listed(present, absent, this.#revision.toString())
    return result
  }

  #changes(changes: readonly StoreChange[]): PeerStep {
    const moved = movedBy(changes, this.#parts.options.etcdPrefix, this.#table.peers)
    return this.#table.change(this.#departures.take(changes, moved))
  }

  /** Leases that were deleted a moment ago, and not written again. */
  #gone(changes: readonly StoreChange[]): void {
    this.#report(this.#table.change(changes), { type: 'changes', revision: this.#revision.toString(), changes })
  }

  /** Hosts that claim the same turned out to live, or not to. */
  #resettle(): void {
    this.#report(this.#table.resettle(), { type: 'changes', revision: this.#revision.toString(), changes: [] })
  }

  #noteConnection(step: WatchStep): void {
    const connected = step.type !== 'disconnected'
    if (connected === this.#connected) return
    this.#connected = connected
    if (step.type === 'disconnected') this.#log.warn(`${step.error.message}; forwarding continues`)
    else this.#log.info('etcd is back')
  }

  /** The rules as far as they can change, and the address we reach etcd from: when leases have to be read again. */
  #readsBy(): ReadBy {
    const { session } = this.#parts
    const { configuration, externals } = session.inputs
    const reached = mapFamilies(externals, ({ address, publicAddress, onlink }) => ({ address, publicAddress, onlink }))
    return { config: configuration.text, reached, own: session.lease.own().key }
  }

  #rules(): RulesByFamily {
    const { session } = this.#parts
    const rules = peerRules({
      inputs: session.inputs,
      own: session.lease.own(),
      selves: () => session.plan.intent.selves,
      configured: (type) => session.configured(type),
    })
    return mapFamilies(rules, (each) => ({
      ...each,
      remembersClaims: true,
      shutOut: (address) => this.#shutOuts.has(address),
      alive: (key) => this.#liveness.lives(key),
    }))
  }
}

/** What decides how leases are read, as far as it can change. */
interface ReadBy {
  /** What there is of the interface of each family. */
  readonly reached: ByFamily<Pick<ExternalInterface, 'address' | 'publicAddress' | 'onlink'>>
  /** The config's text. */
  readonly config: string
  /** The key of our own lease. */
  readonly own: string
}
