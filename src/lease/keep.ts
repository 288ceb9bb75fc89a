// Keeping our lease: renews its etcd lease, looks after its key, and brings both back when they are gone.
// Invariant: this loop writes nothing itself. Whatever looks wrong leads to acquireLease, which checks before it writes,
// so a process that slept past its TTL finds out first who owns the subnet now.
import { changedKey, revisionOf } from '../etcd/position.ts'
import type { Store, WatchStep } from '../etcd/store.ts'
import { Backoff, pause, unlessAborted } from '../async/wait.ts'
import { EtcdError, messageOf } from '../errors.ts'
import { Counter } from '../counters.ts'
import { acquireLease, type AcquireOptions } from './own.ts'
import type { Claim, OwnLease } from './found.ts'
import { namesOf, primarySubnet } from './lease.ts'
import { anyFamily } from '../ip/by-family.ts'

/** What the keeper reports. */
interface LeaseEvents {
  /** The lease is another than before: renewed under a new etcd lease, with a new value, or another subnet. */
  readonly onChanged: (own: OwnLease, why: string) => void
  /** Our key is not as we left it: it is being brought back, which may have to wait for others. */
  readonly onLost?: (why: string) => void
  /** We have our lease, beyond doubt. */
  readonly onHeld?: () => void
  /** Renewed; `expires` in Date.now()'s milliseconds, undefined for a reservation. */
  readonly onRenewed?: (expires: number | undefined) => void
}

/** Times in Date.now()'s milliseconds. */
interface Renewal {
  readonly at: number
  /** Undefined for a reservation, and from a write of the lease to its first renewal. */
  readonly expires: number | undefined
}

/** A lease being kept. */
export interface LeaseKeeper {
  /** Our lease as last known. */
  own(): OwnLease
  /**
   * When our lease ends if it is not renewed, in Date.now()'s milliseconds: Infinity for a reservation, undefined before
   * the first renewal.
   */
  expires(): number | undefined
  /** When our lease was last written or renewed, and when it ends if that stays the last time. */
  renewal(): Renewal
  /** Looks after our lease so far: it was unchanged, it was written again, or that failed. */
  readonly renewals: Counter<'renewed' | 'restored' | 'failed'>
  /** Claims something else from now on (public address, backend data, ranges); written when it differs. */
  publish(claim: Claim): void
  /** Takes a step of a watch on the folder of subnets and looks whether our key is as we left it. */
  observe(step: WatchStep): void
  /** Resolves when the signal has aborted and nothing is under way; never rejects. */
  readonly done: Promise<void>
}

/** Options of acquireLease, and how often to renew: milliseconds, 10,000 when absent, varied by a tenth. */
export interface KeepOptions extends AcquireOptions {
  readonly interval?: number
}

/** A lease to be kept. */
export interface KeptLease {
  readonly store: Store
  /** The etcd prefix of its network. */
  readonly prefix: string
  readonly claim: Claim
  /** The lease as it was acquired. */
  readonly lease: OwnLease
  readonly events: LeaseEvents
  readonly options: KeepOptions
}

/** Keeps a lease until the signal aborts. The lease itself stays in etcd, for the next start. */
export function keepLease(kept: KeptLease): LeaseKeeper {
  const keeper = new Keeper(kept)
  return {
    own: () => keeper.own,
    expires: () => keeper.expires,
    renewal: () => keeper.renewal,
    renewals: keeper.renewals,
    publish: (next) => {
      keeper.publish(next)
    },
    observe: (step) => {
      keeper.observe(step)
    },
    done: keeper.run(),
  }
}

/** Why an acquisition ends that another claim replaced. */
class Superseded extends Error {}

class Keeper {
  own: OwnLease
  expires: number | undefined
  renewal: Renewal = { at: Date.now(), expires: undefined }
  readonly renewals = new Counter<'renewed' | 'restored' | 'failed'>(['renewed', 'restored', 'failed'])
  #claim: Claim
  readonly #store: Store
  readonly #prefix: string
  readonly #events: LeaseEvents
  readonly #options: KeepOptions
  /** Why the lease has to be looked at, undefined when all seems well. */
  #doubt: string | undefined
  /** Ends the pause between two renewals. */
  #nap = new AbortController()
  /** Ends the acquisition under way. */
  #attempt = new AbortController()
  #trouble: string | undefined

  constructor({ store, prefix, claim, lease, events, options }: KeptLease) {
    this.#store = store
    this.#prefix = prefix
    this.#claim = claim
    this.own = lease
    this.#events = events
    this.#options = options
    const stop = (): void => {
      this.#nap.abort()
      this.#attempt.abort(options.signal.reason)
    }
    options.signal.addEventListener('abort', stop, { once: true })
  }

  publish(claim: Claim): void {
    this.#claim = claim
    this.#attempt.abort(new Superseded())
    this.#look('new values to publish')
  }

  observe(step: WatchStep): void {
    const doubt = doubtIn(step, this.own)
    if (doubt !== undefined) this.#question(doubt)
  }

  async run(): Promise<void> {
    const backoff = new Backoff(500, this.#interval())
    let wait = this.#interval()
    while (!this.#isOver()) {
      await pause(wait, this.#nap.signal)
      if (this.#isOver()) return
      this.#nap = new AbortController()
      try {
        if (this.#doubt === undefined) await this.#renew()
        if (this.#doubt !== undefined) await this.#settle()
        this.#events.onHeld?.()
        this.#recovered()
        backoff.reset()
        wait = this.#interval()
      } catch (error) {
        if (this.#isOver()) return
        if (error instanceof Superseded) continue
        this.#failed(error)
        wait = backoff.next()
      }
    }
  }

  /** Renews the etcd lease and reads the key. Anything unexpected becomes a doubt. */
  async #renew(): Promise<void> {
    const { key, etcdLease, modRevision } = this.own
    const ttl = etcdLease === '0' ? undefined : await this.#abortable(this.#store.keepAlive(etcdLease))
    if (etcdLease !== '0' && ttl === undefined) {
      this.#question('etcd lease expired')
      return
    }
    const { entry } = await this.#abortable(this.#store.get(key))
    if (entry === undefined) {
      this.#question('key deleted')
      return
    }
    if (entry.modRevision !== modRevision) {
      this.#question('key changed')
      return
    }
    this.expires = ttl === undefined ? Infinity : Date.now() + ttl * 1_000
    this.renewals.add('renewed')
    this.renewal = { at: Date.now(), expires: ttl === undefined ? undefined : this.expires }
    this.#events.onRenewed?.(this.renewal.expires)
  }

  /** Clears up a doubt: afterwards we have a lease, the same one whenever that is possible. */
  async #settle(): Promise<void> {
    const why = this.#doubt ?? ''
    const before = this.own
    this.#doubt = undefined
    this.#attempt = new AbortController()
    const claim = { ...this.#claim, previous: before.subnets }
    const options = { ...this.#options, held: before, signal: this.#attempt.signal }
    try {
      this.own = await acquireLease(this.#store, this.#prefix, claim, options)
    } catch (error) {
      this.#doubt = why
      throw error
    }
    const { own } = this
    if (own.key === before.key && own.modRevision === before.modRevision && own.etcdLease === before.etcdLease) return
    this.renewals.add('restored')
    this.renewal = { at: Date.now(), expires: undefined }
    // What another config adds to our subnets, or takes away, moves nothing.
    const moved = anyFamily(own.subnets, before.subnets, (subnet, former) => subnet !== former)
    if (moved) this.#options.log.warn(`lease moved from ${namesOf(before)} to ${namesOf(own)}: ${why}`)
    else if (own.key !== before.key) this.#options.log.info(`lease of ${namesOf(before)} is of ${namesOf(own)} now`)
    else this.#options.log.info(`lease of ${primarySubnet(own)} written again: ${why}`)
    this.#events.onChanged(own, why)
  }

  #question(why: string): void {
    this.#events.onLost?.(why)
    this.#look(why)
  }

  /** Ends the pause, for something to settle. */
  #look(why: string): void {
    this.#doubt ??= why
    this.#nap.abort()
  }

  #failed(error: unknown): void {
    this.renewals.add('failed')
    const text = error instanceof EtcdError ? error.message : `bug: ${messageOf(error)}`
    if (this.#trouble === undefined) this.#options.log.warn(`lease of ${primarySubnet(this.own)} not renewed: ${text}`)
    this.#trouble = text
  }

  #recovered(): void {
    if (this.#trouble !== undefined) this.#options.log.info(`lease of ${primarySubnet(this.own)} renewed again`)
    this.#trouble = undefined
  }

  #isOver(): boolean {
    return this.#options.signal.aborted
  }

  #interval(): number {
    return (this.#options.interval ?? 10_000) * (0.9 + Math.random() / 5)
  }

  async #abortable<T>(work: Promise<T>): Promise<T> {
    const value = await unlessAborted(work, this.#options.signal)
    this.#options.signal.throwIfAborted()
    return value as T
  }
}

/** What a step shows to be wrong with our key, if anything. */
function doubtIn(step: WatchStep, { key, modRevision }: OwnLease): string | undefined {
  if (step.type === 'snapshot') {
    const entry = step.snapshot.entries.find((candidate) => candidate.key === key)
    return entry === undefined ? 'key deleted' : entry.modRevision === modRevision ? undefined : 'key changed'
  }
  if (step.type !== 'changes') return undefined
  const last = step.changes.findLast((change) => changedKey(change) === key)
  const seen = last && revisionOf(last)
  // Our own writes, and what preceded them, say nothing.
  if (last === undefined || BigInt(seen ?? '0') <= BigInt(modRevision)) return undefined
  return last.type === 'delete' ? 'key deleted' : 'key changed'
}
