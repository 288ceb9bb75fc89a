// One network of this host: its inputs, the plan computed from them, and its lease. A change of the inputs gives a new plan, which is
// applied to the kernel, our lease, subnet.env, the firewall and the guard.
// Invariant: level-triggered. Any input may change at any time; the result depends on the latest inputs only.
import { setTimeout as pause } from 'node:timers/promises'
import type { Configured, Peer } from '../backend.ts'
import { BackendConfigs } from './backend-configs.ts'
import { BackendsInUse } from './backends-in-use.ts'
import { coalesce } from '../async/coalesce.ts'
import { equal } from '../equal.ts'
import { messageOf } from '../errors.ts'
import { FormerPeers } from './former-peers.ts'
import { GuardOrder } from './guard-order.ts'
import { HelperOrder } from './helper-order.ts'
import { type Derived, type Inputs, type PlanInputs, derivedAtStart } from './inputs.ts'
import { type Plan, keepEqual, planOf, useNexthops } from './plan.ts'
import { type Address, familyOf } from '../ip/address.ts'
import { inFamily, valuesOf } from '../ip/by-family.ts'
import { type Prefix, prefixOf } from '../ip/prefix.ts'
import { type LeaseKeeper, keepLease } from '../lease/keep.ts'
import type { OwnLease } from '../lease/found.ts'
import { namesOf } from '../lease/lease.ts'
import type { PeerChange } from '../lease/peer-step.ts'
import { DOORS_PAUSE_MS, LateDoors, withoutLate } from './late-doors.ts'
import { countSenders } from './peer-senders.ts'
import { neededSession } from './needed-session.ts'
import { ProvenPeers } from './proven-peers.ts'
import type { SessionParts } from './session-parts.ts'
import { RulesOrder } from './rules-order.ts'
import type { Intent } from '../reconcile/intent.ts'
import { writeSubnetEnv } from '../host/subnet-env.ts'

/** Before a retry after a failure whose end no event reports, such as a full disk. Milliseconds. */
const RETRY_MS = 2000

export class Session {
  readonly #parts: SessionParts
  #plan: Plan
  readonly #peers = new ProvenPeers()
  readonly #configs: BackendConfigs
  readonly #inUse: BackendsInUse
  readonly #formers = new FormerPeers({
    sessionOf: (peer) => neededSession(peer, this.configured(peer.type), this.#plan.intent),
    isConnected: (session) => this.#parts.host.isConnected(session),
    changed: (changes) => {
      this.#parts.host.reconciler.peersChanged(this.#formers.view, changes, this)
      if (this.#isOutdated()) void this.#refresh()
    },
  })
  readonly #guarding: GuardOrder
  readonly #rules: RulesOrder
  readonly #helpers: HelperOrder
  readonly #late = new LateDoors(() => {
    this.#replan({ change: { ...this.#plan.inputs.change, lately: false } })
    void this.#refresh()
  })
  /** What the reconciler and the lease keeper were last given. */
  #wanted: Intent | undefined
  #claimed: Plan['claim']
  readonly #keeper: LeaseKeeper
  #complete = false
  readonly #listeners = new Set<() => void>()
  #retry: NodeJS.Timeout | undefined
  #said = ''
  #stopped = false
  readonly #refresh: () => Promise<void>
  readonly #guard: () => Promise<void>
  readonly #doors: () => Promise<void>

  constructor(parts: SessionParts, inputs: Inputs) {
    const { host, found, log } = parts
    this.#parts = parts
    this.#guarding = new GuardOrder(host.guard, found.standing)
    this.#rules = new RulesOrder(host.firewall, parts.readiness)
    this.#helpers = new HelperOrder(host.helpers, this)
    this.#configs = new BackendConfigs(parts.backends)
    this.#inUse = new BackendsInUse(parts.backends, () => !this.#stopped && void this.#refresh())
    this.#configs.remember(inputs.configuration.own)
    this.#plan = planOf({ ...inputs, ...derivedAtStart(found) }, undefined)
    this.#claimed = this.#plan.claim
    this.#refresh = coalesce(
      () => this.#apply(),
      (error) => {
        this.#later(messageOf(error))
      },
    )
    const report = (error: unknown): void => {
      log.error(`firewall: ${messageOf(error)}`)
    }
    this.#guard = coalesce(() => this.#guarding.refresh(), report)
    this.#doors = coalesce(() => this.#openDoors(), report)
    host.helpers.onChange(() => !this.#stopped && void this.#refresh())
    this.#keeper = this.#keepLease()
  }

  get inputs(): Inputs {
    return this.#plan.inputs
  }

  /** What is computed from the inputs and the peers. Equal parts of two plans are the same object. */
  get plan(): Plan {
    return this.#plan
  }

  /** Our lease. */
  get lease(): LeaseKeeper {
    return this.#keeper
  }

  /** The current peers by subnet. */
  get peers(): ReadonlyMap<Prefix, Peer> {
    return this.#peers.all
  }

  /** Calls `listener` after each change of inputs, until offChange. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  offChange(listener: () => void): void {
    this.#listeners.delete(listener)
  }

  /** Changes inputs. Resolves when the new plan was tried. */
  update(change: Partial<Inputs>): Promise<void> {
    const before = this.#plan.inputs
    const next = this.#late.after(before, { ...before, ...change }, this.#peers.values())
    const { backend } = before.configuration.own
    if (backend !== next.configuration.own.backend) this.#inUse.linger(backend.type)
    this.#replan(next)
    for (const listener of this.#listeners) listener()
    return this.#refresh()
  }

  /** Takes peers that changed, as their leases say. `leased` are all of them, read again whenever needed. */
  peersChanged(leased: ReadonlyMap<Prefix, Peer>, differing: readonly PeerChange[]): void {
    const changes = this.#peers.take(leased, differing)
    this.countPeers(changes)
    if (changes.length === 0 && this.#complete) return
    this.#complete = true
    this.#plan = withoutLate(this.#plan, this.#peers)
    this.#guarding.complete()
    void this.#guard()
    void this.#doors()
    this.#parts.host.reconciler.peersChanged(this.#formers.view, this.#formers.take(this.peers, changes), this)
    this.#helpers.peersChanged(this.#plan.intent, this.peers, changes)
    if (this.#plan.intent !== this.#wanted || this.#isOutdated()) void this.#refresh()
  }

  /** Takes what probes prove of a peer. */
  prove(subnet: Prefix, direct: boolean | undefined): void {
    const change = this.#peers.prove(subnet, direct)
    if (change === undefined) return
    this.#parts.host.reconciler.peersChanged(this.#formers.view, this.#formers.take(this.peers, [change]), this)
  }

  /** Counts peers that changed, as peersChanged does. A first listing is counted in portions, then taken without changes. */
  countPeers(changes: readonly PeerChange[]): void {
    this.#inUse.change(changes)
    countSenders(this.#guarding.senders, changes)
  }

  /** The peer whose subnet an address lies in. */
  peerAt(address: Address): Peer | undefined {
    const range = inFamily(this.inputs.configuration.ranges, familyOf(address))
    return range && this.#peers.get(prefixOf(address, range.subnetLen))
  }

  /** The backend of this type with its config: it reads the data of peers whose lease names it. */
  configured(type: string): Configured | undefined {
    return this.#configs.find(type, this.inputs.configuration)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#late.stop()
    this.#formers.stop()
  }

  #keepLease(): LeaseKeeper {
    const { lease, readiness } = this.#parts
    const events = {
      onChanged: (lease: OwnLease): void => {
        const { subnets } = lease
        if (!equal(subnets, this.inputs.subnets)) {
          const text = `our subnet is ${namesOf(lease)} now`
          readiness.bad('subnet.env', 'subnet-changed', text)
        }
        void this.update({ subnets })
      },
      onLost: (why: string): void => {
        readiness.bad('lease', 'lease-lost', why)
      },
      onHeld: (): void => {
        readiness.good('lease')
      },
    }
    return keepLease({ ...lease, claim: this.#claimed, events })
  }

  /** Computes the plan from the current inputs and peers. */
  #replan(change: Partial<PlanInputs> = {}): Plan {
    const changed = { ...this.#plan.inputs, ...change }
    this.#configs.remember(changed.configuration.own)
    const inputs = { ...changed, ...this.#derived(changed) }
    const peers = this.#complete ? this.#peers.values() : undefined
    return (this.#plan = keepEqual(this.#plan, planOf(inputs, peers)))
  }

  /** What the plan depends on that changes with the peers. */
  #derived({ configuration, options, nexthops }: PlanInputs): Pick<Derived, 'others' | 'nexthops'> {
    const { nexthopsKnown } = this.#parts.found
    return {
      others: this.#configs.others(this.#formers.typesWith(this.#inUse.types), configuration),
      nexthops: useNexthops(options.nexthopObjects, nexthopsKnown, this.#peers.size, nexthops),
    }
  }

  /** Whether peers changed what the plan depends on. */
  #isOutdated(): boolean {
    const { inputs } = this.#plan
    return !equal(this.#derived(inputs), { others: inputs.others, nexthops: inputs.nexthops })
  }

  async #apply(): Promise<void> {
    const { host, readiness } = this.#parts
    const plan = this.#isOutdated() ? this.#replan() : this.#plan
    // Peers may send by another backend as soon as our lease says so.
    if (this.#rules.begun) this.#rules.want(plan.rules)
    const waits = [this.#guarding.ahead(plan.guard), this.#helpers.ahead(plan.intent, this.#peers)].flatMap(
      (one) => one ?? [],
    )
    // No await where none is needed: the reconciler would begin a pass with the previous intent.
    if (waits.length > 0) await Promise.all(waits)
    const failures = await host.reconciler.attempted(this.#want(plan.intent))
    // Peers must not send to a device that is missing. The reconciler keeps trying.
    const missing = failures.find(({ change }) => change.object.kind === 'link' || change.object.kind === 'address')
    if (missing !== undefined) {
      this.#rules.want(this.#replan().rules)
      readiness.bad('backend', 'kernel-refused', missing.error.message)
      this.#later('')
      return
    }
    const down = await this.#helpers.behind()
    if (down !== undefined) {
      // A helper is started again by itself, and says so when it runs.
      readiness.bad('backend', 'helper-down', down)
      return
    }
    this.#guarding.behind(plan.guard)
    void this.#guard()
    readiness.good('backend')
    this.#publish(plan.claim)
    await this.#writeSubnetEnv(plan)
    if (plan.inputs.subnets === this.#plan.inputs.subnets) readiness.good('subnet.env')
    this.#said = ''
  }

  async #writeSubnetEnv({ inputs, subnetEnv }: Plan): Promise<void> {
    const { subnetFile } = inputs.options
    const wrote = await writeSubnetEnv(subnetFile, subnetEnv).finally(() => {
      this.#rules.want(this.#replan().rules)
    })
    const subnets = valuesOf(subnetEnv.subnets).join(' and ')
    if (wrote) this.#parts.log.info(`wrote ${subnetFile}: subnet ${subnets}, mtu ${subnetEnv.mtu}`)
  }

  /** Gives the reconciler an intent only where it differs: a new one makes it read every kind. */
  #want(intent: Intent): number | undefined {
    if (intent === this.#wanted) return undefined
    this.#wanted = intent
    return this.#parts.host.reconciler.want(intent, this)
  }

  /** Has the lease keeper write this claim where it differs from the last one. */
  #publish(claim: Plan['claim']): void {
    if (claim === this.#claimed) return
    this.#claimed = claim
    this.#keeper.publish(claim)
  }

  /** Updates rules that name peers after peers joined or left. At the start #apply does that. */
  async #openDoors(): Promise<void> {
    if (!this.#rules.begun || this.#stopped) return
    if (!this.#rules.want(this.#replan().rules)) return
    await this.#rules.settled()
    await pause(DOORS_PAUSE_MS, undefined, { ref: false })
  }

  #later(why: string): void {
    if (this.#stopped) return
    if (why !== '' && why !== this.#said) this.#parts.log.error(`${why}; trying again`)
    if (why !== '') this.#parts.readiness.bad('subnet.env', 'file-not-written', why)
    this.#said = why
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#refresh(), RETRY_MS)
  }
}
