// Acquires our lease: reads all leases, decides (claim.ts), commits, and starts over when another host was faster.
// Invariant: every write is a transaction on the revisions it was decided on; at most one etcd lease is left behind.
import type { Snapshot, Store } from '../etcd/store.ts'
import { Backoff, pause, unlessAborted } from '../async/wait.ts'
import { EtcdError } from '../errors.ts'
import type { ReasonCode } from '../health/readiness.ts'
import type { Log } from '../log.ts'
import { inPortions } from '../async/chunks.ts'
import type { Claim, ListedLease, OwnLease } from './found.ts'
import { type Decision, decide, findLeases } from './claim.ts'
import { SaidOnce, duplicate, leaving, lost, ownerOf, refusedBug } from './acquisition-lines.ts'
import { afterClaim, mattersTo } from './listing.ts'
import { encodeKey, encodeValue, subnetsFolder } from './codec.ts'
import { LEASE_SECONDS, primarySubnet } from './lease.ts'
import { anyFamily } from '../ip/by-family.ts'

/** The rim of an acquisition. */
export interface AcquireOptions {
  readonly log: Log
  readonly signal: AbortSignal
  /** Seconds an etcd lease of ours lives without renewal; LEASE_SECONDS when absent. */
  readonly ttl?: number
  /** Seconds after its last renewal a host counts as living; 30, as we renew every 10. */
  readonly liveFor?: number
  /** The lease this process holds already, when it is only to be brought up to date. */
  readonly held?: OwnLease | undefined
  /** Where the last listing of all under the prefix is put, our lease in it: a watch may go on from there. */
  readonly listing?: Snapshot[]
  /** Called with what is waited for. */
  readonly onWaiting?: (code: ReasonCode, text: string) => void
}

/** An etcd lease with less than this left (in seconds) cannot be kept by renewing every 10. */
const LEAST_TTL = 30

/**
 * Our lease, once we have it. Waits for etcd, for a free subnet and for a duplicate address to go, saying so once; rejects
 * with the signal's reason when that aborts, and for nothing else.
 */
export async function acquireLease(
  store: Store,
  prefix: string,
  claim: Claim,
  options: AcquireOptions,
): Promise<OwnLease> {
  const acquisition = new Acquisition(store, prefix, claim, options)
  const trouble = new Backoff(250, 4_000)
  const wait = new Backoff(1_000, 30_000)
  const ended = (): boolean => options.signal.aborted
  while (!ended()) {
    try {
      const own = await acquisition.attempt()
      if (own === 'wait') await acquisition.untilFreed(wait.next())
      else if (own !== 'again') return own
      trouble.reset()
    } catch (error) {
      if (ended()) break
      if (!(error instanceof EtcdError)) throw error
      acquisition.waiting(
        'warn',
        'etcd-unreachable',
        `no lease yet: ${error.message}`,
        error.message.replace(/\d+/g, ''),
      )
      await pause(trouble.next(), options.signal)
    }
  }
  await acquisition.abandon()
  throw options.signal.reason
}

class Acquisition {
  readonly #store: Store
  readonly #prefix: string
  readonly #claim: Claim
  readonly #options: AcquireOptions
  readonly #alive = new Map<string, boolean>()
  /** An etcd lease granted for a claim that did not succeed yet. */
  #granted: string | undefined
  /** Lines already logged. */
  readonly #logged = new SaidOnce()
  /** Keys of the last reading. */
  #seen = 0

  constructor(store: Store, prefix: string, claim: Claim, options: AcquireOptions) {
    this.#store = store
    this.#prefix = prefix
    this.#claim = claim
    this.#options = options
  }

  /** One reading and one decision. 'again': decide again at once; 'wait': after a pause. */
  async attempt(): Promise<OwnLease | 'again' | 'wait'> {
    const { listing } = this.#options
    const folder = subnetsFolder(this.#prefix)
    const snapshot = await this.#abortable(this.#store.range(listing === undefined ? folder : `${this.#prefix}/`))
    const { entries } = snapshot
    listing?.splice(0, 1, snapshot)
    const leases: ListedLease[] = []
    const matters = mattersTo(this.#claim, this.#options.held)
    for await (const portion of inPortions(entries)) leases.push(...findLeases(this.#prefix, portion, matters))
    this.#seen = entries.filter(({ key }) => key.startsWith(folder)).length
    for (const { key, bug } of leases) if (bug !== undefined) this.say('warn', refusedBug(key, bug), 'bug')
    const decision = decide(leases, this.#claim, this.#options.held, this.#alive, Math.random)
    if (decision.type !== 'probe') this.#reportLoss(leases)
    switch (decision.type) {
      case 'keep':
        return this.#keep(decision.lease)
      case 'claim':
        return this.#commit(decision)
      case 'probe':
        this.#alive.set(decision.lease.key, await this.#lives(decision.lease))
        return 'again'
      case 'duplicate':
        this.waiting('error', 'duplicate-address', duplicate(decision.lease))
        this.#alive.clear()
        return 'wait'
      case 'conflict':
        this.waiting(
          'error',
          'subnet-taken',
          `${lost(decision.lease)}: waiting until it is free again, as -on-subnet-conflict says`,
        )
        return 'wait'
      case 'exhausted': {
        const { subnetMin, subnetMax, subnetLen } = decision.range
        const range = `${subnetMin} to ${subnetMax}, /${subnetLen}`
        const text = `no free subnet: ${range}: all ${decision.size} are taken; waiting for one to be freed`
        this.waiting('error', 'no-free-subnet', text)
        return 'wait'
      }
    }
  }

  /** Nothing to write, but its etcd lease has to live. */
  async #keep(lease: ListedLease): Promise<OwnLease | 'again'> {
    const { subnets, key, modRevision, etcdLease } = lease
    const own = { subnets, key, modRevision, etcdLease, value: this.#claim.value(subnets) }
    if (etcdLease === '0' || (await this.#adoptable(etcdLease))) return this.#done(own)
    return this.#commit({ type: 'claim', subnets, modRevision, etcdLease: undefined, release: [] })
  }

  async #commit(decision: Decision & { type: 'claim' }): Promise<OwnLease | 'again'> {
    const etcdLease = await this.#etcdLease(decision.etcdLease)
    const key = encodeKey(this.#prefix, decision.subnets)
    const value = this.#claim.value(decision.subnets)
    const guards = [{ key, modRevision: decision.modRevision }, ...decision.release]
    const removals = decision.release.map((lease) => ({ type: 'delete', key: lease.key }) as const)
    const modRevision = await this.#abortable(
      this.#store.commit(guards, [{ type: 'put', key, value: encodeValue(value), lease: etcdLease }, ...removals]),
    )
    if (modRevision === undefined) {
      await pause(Math.random() * 10, this.#options.signal)
      return 'again' // another host was faster
    }
    for (const line of leaving(decision, this.#claim, this.#options.held)) this.#options.log.info(line)
    for (const lease of decision.release) {
      // Without its key an older etcd lease of ours is of no use.
      if (lease.value?.hostId === this.#claim.hostId && lease.etcdLease !== etcdLease)
        void this.#store.revoke(lease.etcdLease).catch(() => undefined)
    }
    const own = { subnets: decision.subnets, key, modRevision, etcdLease, value }
    const { listing } = this.#options
    const listed = listing?.[0]
    if (listed !== undefined) listing?.splice(0, 1, afterClaim(listed, own, decision.release))
    return this.#done(own)
  }

  /** The etcd lease to attach: the one given if it can be renewed, else the one granted for an earlier try, else a new one. */
  async #etcdLease(ours: string | undefined): Promise<string> {
    if (ours !== undefined && (ours === '0' || (await this.#adoptable(ours)))) return ours
    if (this.#granted !== undefined && (await this.#abortable(this.#store.keepAlive(this.#granted))) === undefined) {
      this.#granted = undefined
    }
    return (this.#granted ??= await this.#grant())
  }

  async #grant(): Promise<string> {
    const { signal } = this.#options
    const granting = this.#store.grant(this.#ttl())
    const etcdLease = await unlessAborted(granting, signal)
    if (etcdLease !== undefined) return etcdLease
    // We go; should the answer still come, the etcd lease must not be left behind.
    granting.then((late) => this.#store.revoke(late)).catch(() => undefined)
    throw signal.reason
  }

  async #adoptable(etcdLease: string): Promise<boolean> {
    const ttl = await this.#abortable(this.#store.keepAlive(etcdLease))
    return ttl !== undefined && ttl >= Math.min(LEAST_TTL, this.#ttl())
  }

  async #done(own: OwnLease): Promise<OwnLease> {
    if (this.#granted === own.etcdLease) this.#granted = undefined
    await this.abandon()
    return own
  }

  /** Gives back an etcd lease that was granted in vain. */
  async abandon(): Promise<void> {
    if (this.#granted === undefined) return
    const revoked = this.#store.revoke(this.#granted).catch(() => undefined)
    this.#granted = undefined
    await unlessAborted(revoked, AbortSignal.timeout(90))
  }

  /**
   * Whether the host of a lease lives: its etcd lease was renewed less than `liveFor` seconds ago, and once more while we
   * waited for that time to pass. etcd counts full seconds, and a new etcd leader makes every lease look renewed once.
   */
  async #lives(lease: ListedLease): Promise<boolean> {
    const window = this.#options.liveFor ?? 30
    const before = await this.#sinceRenewal(lease)
    if (before === undefined || before >= window) return false
    this.waiting(
      'warn',
      'subnet-taken',
      `${primarySubnet(lease)} was recently renewed by ${ownerOf(lease)}: waiting to see whether that host lives`,
    )
    await pause((window - before + 1) * 1_000, this.#options.signal)
    const after = await this.#sinceRenewal(lease)
    return after !== undefined && after < window
  }

  async #sinceRenewal(lease: ListedLease): Promise<number | undefined> {
    const time = await this.#abortable(this.#store.timeToLive(lease.etcdLease))
    return time && Math.max(0, time.granted - time.remaining)
  }

  /** Waits some time, less when a lease is deleted meanwhile. */
  async untilFreed(milliseconds: number): Promise<void> {
    const enough = new AbortController()
    const timer = setTimeout(() => {
      enough.abort()
    }, milliseconds)
    const signal = AbortSignal.any([enough.signal, this.#options.signal])
    for await (const step of this.#store.watch(subnetsFolder(this.#prefix), signal)) {
      if (step.type === 'snapshot' && step.snapshot.entries.length < this.#seen) break
      if (step.type === 'changes' && step.changes.some((change) => change.type === 'delete')) break
    }
    clearTimeout(timer)
    await pause(Math.random() * 50, this.#options.signal)
  }

  /** Says each line once; lines of one `kind` count as the same. */
  say(severity: 'warn' | 'error', text: string, kind = text): void {
    if (this.#logged.isNew(kind)) this.#options.log[severity](text)
  }

  /** Reports what is waited for; says it as `say` does. */
  waiting(severity: 'warn' | 'error', code: ReasonCode, text: string, kind = text): void {
    this.#options.onWaiting?.(code, text)
    this.say(severity, text, kind)
  }

  /** Says so when the key we held is another host's now. */
  #reportLoss(leases: readonly ListedLease[]): void {
    const { held } = this.#options
    const now = held && leases.find((lease) => lease.key === held.key)
    if (now?.value === undefined || now.value.hostId === this.#claim.hostId) return
    const { addresses } = this.#claim
    const sameAddress = anyFamily(now.value.addresses, addresses, (its, ours) => its === ours)
    if (now.value.hostId === undefined && sameAddress) return
    if (this.#claim.waitsForPrevious !== true) this.say('error', `${lost(now)}: taking another subnet`)
  }

  #ttl(): number {
    return this.#options.ttl ?? LEASE_SECONDS
  }

  async #abortable<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#options
    const value = await unlessAborted(work, signal)
    if (signal.aborted) throw signal.reason
    return value as T
  }
}
