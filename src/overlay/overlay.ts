// The running overlay of this host: holds the daemon's inputs and keeps kernel, lease, subnet.env, firewall and guard in
// line with them. Invariant: level-triggered; any input may change at any time, the outcome depends on the last ones only.
import { setTimeout as pause } from 'node:timers/promises'
import type { AnyBackend, Configured, Peer } from '../backend.ts'
import { BackendsInUse } from './backends-in-use.ts'
import { coalesce } from '../async/coalesce.ts'
import { messageOf } from '../errors.ts'
import { stillLate } from './doors.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Guard } from '../firewall/nftables/guard.ts'
import { GuardOrder, type Receiving } from './guard-order.ts'
import type { Inputs } from './inputs.ts'
import { firewallOf, guardOf, intentOf, leaseValueOf, subnetEnvOf, useNexthops } from './plan.ts'
import type { Address } from '../ip/address.ts'
import { type Prefix, addressOf, prefixOf } from '../ip/prefix.ts'
import type { LeaseValue } from '../lease/lease.ts'
import type { PeerChange } from '../lease/peer-step.ts'
import { DOORS_PAUSE_MS, LateDoors } from './late-doors.ts'
import type { Log } from '../log.ts'
import { countSenders } from './peer-senders.ts'
import type { Readiness } from '../health/readiness.ts'
import { type Intent, wantedMacs } from '../reconcile/intent.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import { writeSubnetEnv, subnetIn } from '../host/subnet-env.ts'
import { primaryRange } from '../network-config/configuration.ts'

/** What an overlay works with. */
export interface OverlayParts {
  readonly reconciler: Reconciler
  readonly firewall: Firewall
  readonly guard: Guard
  /** Where devices of earlier runs receive. */
  readonly standing: readonly Receiving[]
  readonly readiness: Readiness
  readonly log: Log
  readonly backends: readonly AnyBackend[]
  readonly nexthopsKnown: boolean
  /** Makes our lease say this, in its own time. */
  publish(value: LeaseValue): void
}

/** After a failure that no event will end, such as a full disk. Milliseconds. */
const RETRY_MS = 2000

export class Overlay {
  readonly #parts: OverlayParts
  #inputs: Inputs
  #peers: ReadonlyMap<Prefix, Peer> = new Map()
  readonly #guarding: GuardOrder
  readonly #inUse = new BackendsInUse(() => !this.#stopped && void this.#refresh())
  /** The last config of each backend: its devices are torn down with the options they were made with. */
  readonly #configs = new Map<string, Configured>()
  /** What the reconciler and the firewall were last told, as text. */
  #intent = ''
  #rules = ''
  #complete = false
  readonly #listeners = new Set<() => void>()
  #retry: NodeJS.Timeout | undefined
  #said = ''
  #stopped = false
  readonly #refresh: () => Promise<void>
  readonly #guard: () => Promise<void>
  readonly #doors: () => Promise<void>
  readonly #late = new LateDoors(() => void this.update({ change: { ...this.#inputs.change, lately: false } }))

  constructor(parts: OverlayParts, inputs: Inputs) {
    this.#parts = parts
    this.#inputs = inputs
    this.#guarding = new GuardOrder(parts.guard, parts.standing)
    this.#refresh = coalesce(
      () => this.#apply(),
      (error) => {
        this.#later(messageOf(error))
      },
    )
    const tell = (error: unknown): void => {
      parts.log.error(`firewall: ${messageOf(error)}`)
    }
    this.#guard = coalesce(() => this.#guarding.refresh(), tell)
    this.#doors = coalesce(() => this.#openDoors(), tell)
  }

  get inputs(): Inputs {
    return this.#inputs
  }

  /** Calls `listener` after each change of inputs, until offChange. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  offChange(listener: () => void): void {
    this.#listeners.delete(listener)
  }

  /** Changes inputs; resolves when their outcome was tried. */
  update(change: Partial<Inputs>): Promise<void> {
    const before = this.#inputs.configuration.own
    this.#inputs = this.#late.after(this.#inputs, { ...this.#inputs, ...change }, this.#peers.values())
    if (before.backend !== this.#inputs.configuration.own.backend) this.#inUse.linger(before.backend.type)
    for (const listener of this.#listeners) listener()
    return this.#refresh()
  }

  /** Takes over peers that changed; `peers` are all of them, read again whenever needed. */
  peersChanged(peers: ReadonlyMap<Prefix, Peer>, changes: readonly PeerChange[]): void {
    this.#peers = peers
    this.countPeers(changes)
    if (changes.length === 0 && this.#complete) return
    this.#complete = true
    const { change } = this.#inputs
    this.#inputs = { ...this.#inputs, change: { ...change, formerly: stillLate(change.formerly, peers) } }
    this.#guarding.complete()
    void this.#guard()
    void this.#doors()
    this.#parts.reconciler.peersChanged(peers, changes)
    if (this.#signature() !== this.#intent) void this.#refresh()
  }

  /** What peersChanged begins with: a first listing is counted in portions, then taken over without changes. */
  countPeers(changes: readonly PeerChange[]): void {
    this.#inUse.change(changes)
    countSenders(this.#guarding.senders, changes)
  }

  /** All peers by subnet, as they are at this moment. */
  get peers(): ReadonlyMap<Prefix, Peer> {
    return this.#peers
  }

  /** Whether an address is a peer's VTEP address. */
  isPeer(address: Address): boolean {
    const peer = this.#peers.get(prefixOf(address, primaryRange(this.#inputs.configuration).subnetLen))
    return peer !== undefined && addressOf(peer.subnet) === address
  }

  /** How a peer's data is read: by the backend its lease names, under the config we have for that. */
  configured(type: string): Configured | undefined {
    const { own } = this.#inputs.configuration
    if (own.backend.type === type) return own
    const known = this.#configs.get(type)
    if (known !== undefined) return known
    const backend = this.#parts.backends.find((other) => other.type === type)
    if (backend === undefined) return undefined
    try {
      return { backend, config: backend.parseConfig(this.#inputs.configuration.network.backend.section) }
    } catch {
      // The section is written for our own backend: what it says may make no sense to this one.
      return undefined
    }
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#late.stop()
  }

  async #apply(): Promise<void> {
    const { reconciler, readiness } = this.#parts
    const { own } = this.#inputs.configuration
    this.#configs.set(own.backend.type, own)
    this.#inputs = { ...this.#inputs, others: this.#others(), nexthops: this.#nexthops() }
    const inputs = this.#inputs
    const intent = intentOf(inputs)
    this.#inputs = { ...this.#inputs, keptMacs: new Map([...inputs.keptMacs, ...wantedMacs(intent)]) }
    // Peers may come a new way as soon as our lease says so.
    if (this.#rules !== '') this.#wantRules(inputs)
    const guarded = this.#guarding.ahead(guardOf(inputs))
    // Without a pause where none is needed: a pass of the reconciler would begin with the intent of before.
    if (guarded !== undefined) await guarded
    const failures = await reconciler.attempted(this.#want(intent))
    // Peers must not send to a device that is not there; the reconciler goes on trying.
    const missing = failures.find(({ change }) => change.object.kind === 'link' || change.object.kind === 'address')
    if (missing !== undefined) {
      this.#wantRules(inputs)
      readiness.bad('backend', 'kernel-refused', missing.error.message)
      this.#later('')
      return
    }
    this.#guarding.behind(guardOf(inputs))
    void this.#guard()
    readiness.good('backend')
    this.#parts.publish(leaseValueOf(inputs))
    const { subnetFile } = inputs.options
    const env = subnetEnvOf(inputs)
    const wrote = await writeSubnetEnv(subnetFile, env).finally(() => {
      this.#wantRules(inputs)
    })
    if (wrote) this.#parts.log.info(`wrote ${subnetFile}: subnet ${subnetIn(env) ?? ''}, mtu ${env.mtu}`)
    readiness.good('subnet.env')
    this.#said = ''
  }

  /** At the start it comes last: starting programs for it takes longer than all before it. */
  #wantRules(inputs: Inputs): void {
    const { firewall, readiness } = this.#parts
    // Who was late when these inputs were taken may have followed since.
    const rules = firewallOf(
      { ...inputs, change: this.#inputs.change },
      this.#complete ? this.#peers.values() : undefined,
    )
    const text = JSON.stringify(rules)
    if (text === this.#rules) return
    this.#rules = text
    firewall.want(rules)
    // Once tried, as a host without iptables has its traffic too; the firewall tells of its failures itself.
    void firewall.settled().then(() => {
      readiness.good('firewall')
    })
  }

  /** Gives the reconciler a new intent only when it differs: another one makes it read the whole kernel. */
  #want(intent: Intent): number | undefined {
    const signature = this.#signature()
    if (signature === this.#intent) return undefined
    this.#intent = signature
    return this.#parts.reconciler.want(intent)
  }

  #signature(): string {
    const { active, self, blackhole, leftovers } = intentOf({
      ...this.#inputs,
      others: this.#others(),
      nexthops: this.#nexthops(),
    })
    const backends = active.map(({ backend, config }) => [backend.type, config])
    return JSON.stringify([backends, { ...self, keptMacs: [...self.keptMacs] }, blackhole, leftovers])
  }

  #nexthops(): boolean {
    const { options, nexthops } = this.#inputs
    return useNexthops(options.nexthopObjects, this.#parts.nexthopsKnown, this.#peers.size, nexthops)
  }

  /** Backends beside our own that peers use, or used a moment ago. */
  #others(): readonly Configured[] {
    const own = this.#inputs.configuration.own.backend.type
    return this.#inUse.types.flatMap((type) => (type === own ? [] : (this.configured(type) ?? [])))
  }

  /** Peers that came or went may have rules of their own; at the start those come in their turn. */
  async #openDoors(): Promise<void> {
    const before = this.#rules
    if (before === '' || this.#stopped) return
    this.#wantRules(this.#inputs)
    if (this.#rules === before) return
    await this.#parts.firewall.settled()
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
