// One pass: it compares the wanted objects with the kernel and applies the difference. A stale kind is read and compared in full.
// Of the other kinds only changed peers are compared, and their previous objects stand for the kernel's state.
// Invariants: additions before deletions; peers are processed in portions, so that their number costs neither memory nor
// blocks of the event loop; the peers are those at the start of the pass.
import { setImmediate as turn } from 'node:timers/promises'
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import { KindComparison } from '../kernel/diff.ts'
import type { KernelChange, Failure, Kernel } from '../kernel/kernel.ts'
import type { Domain } from '../kernel/ownership.ts'
import { KINDS, type KernelObject, type Kind, keyOf } from '../kernel/state.ts'
import type { Conflicts } from './conflicts.ts'
import { type Intent, hostObjects, peerObjects } from './intent.ts'
import type { Staleness, Work } from './report.ts'

/** Peers by subnet. */
export type Peers = Pick<ReadonlyMap<Prefix, Peer>, 'get' | 'values'>

/** One network of this host, as a pass sees it. */
export interface PassNetwork {
  readonly intent: Intent
  readonly peers: Peers
  /** Peers as they were when last programmed, by subnet; undefined: not there. */
  readonly toRecheck: ReadonlyMap<Prefix, Peer | undefined>
}

/** What a pass starts from. */
export interface PassInput {
  readonly kernel: Kernel
  readonly networks: readonly PassNetwork[]
  readonly domain: Domain
  readonly stale: ReadonlyMap<Kind, Staleness>
  /** Whether the peers are complete; nothing is deleted before. */
  readonly complete: boolean
  /** Whether an earlier pass applied what we want: then a foreign object in its place is damage. */
  readonly appliedBefore: boolean
  readonly conflicts: Conflicts
  /** Keys of what the last pass could not add: a foreign object may be in its place. */
  readonly refused: ReadonlySet<string>
  /** Digests of kinds after they were read and found, or made, as wanted; the pass updates them. */
  readonly cleanDigests: Map<Kind, number>
}

/** What a pass did. */
export interface PassResult {
  readonly failures: readonly Failure[]
  readonly deleted: readonly KernelObject[]
  readonly work: ReadonlyMap<Kind, Work>
}

/** A network with its peers as they were when the pass began. */
interface ComparedNetwork {
  readonly network: PassNetwork
  /** Empty unless some kind is compared in full. */
  readonly all: readonly Peer[]
  readonly changed: readonly Peer[]
}

/** Peers between two turns of the event loop. */
const PORTION = 128

/** Makes one pass. Rejects when the kernel cannot be read. */
export async function makePass(input: PassInput): Promise<PassResult> {
  const pass = new Pass(input)
  await pass.devices()
  await pass.entries()
  return pass.finish()
}

class Pass {
  readonly #input: PassInput
  readonly #networks: readonly ComparedNetwork[]
  readonly #host: readonly KernelObject[]
  readonly #stale: Map<Kind, Staleness>
  readonly #open = new Map<Kind, { readonly comparison: KindComparison; readonly why: Staleness | undefined }>()
  readonly #digests = new Map<Kind, number>()
  readonly #work = new Map<Kind, { -readonly [K in keyof Work]: Work[K] }>()
  /** Keys of what changed peers need now or needed before. */
  readonly #expected: ReadonlySet<string>
  readonly #failures: Failure[] = []

  constructor(input: PassInput) {
    this.#input = input
    this.#stale = new Map(input.stale)
    this.#host = input.networks.flatMap(({ intent }) => hostObjects(intent))
    this.#expected = new Set([...input.stale.values()].some(isRepair) ? input.networks.flatMap(keysOf) : [])
    this.#networks = input.networks.map((network) => ({
      network,
      all: input.stale.size > 0 ? [...network.peers.values()] : [],
      changed: [...present(network.toRecheck.keys(), network.peers)],
    }))
  }

  /** Links and their addresses, on which everything else depends. */
  async devices(): Promise<void> {
    for (const kind of ['link', 'address'] as const) {
      await this.#read(kind)
      const changes = this.#compare(
        this.#host.filter((object) => object.kind === kind),
        false,
      )
      await this.#apply(changes)
      // A device that was created again or set up has lost what depended on it.
      if (kind === 'link' && changes.length > 0) {
        for (const other of KINDS) this.#stale.set(other, this.#stale.get(kind) ?? 'intent')
      }
    }
  }

  /** Everything else: the host's own objects, then peer by peer. */
  async entries(): Promise<void> {
    const kinds = ['wireguard-peer', 'fdb', 'neighbor', 'nexthop', 'policy', 'route'] as const
    for (const kind of kinds) await this.#read(kind)
    const open = kinds.flatMap((kind) => this.#open.get(kind) ?? [])
    if (open.length === 0) return
    const everything = open.some(({ why }) => why !== undefined)
    const rest = this.#host.filter(({ kind }) => kind !== 'link' && kind !== 'address')
    await this.#apply(this.#compare(rest, false))
    for (const { network, all, changed } of this.#networks)
      await this.#comparePeers(network, everything ? all : changed)
  }

  async #comparePeers({ intent, toRecheck }: PassNetwork, peers: readonly Peer[]): Promise<void> {
    for (let at = 0; at < peers.length; at += PORTION) {
      const changes: KernelChange[] = []
      for (const peer of peers.slice(at, at + PORTION)) {
        const needs = peerObjects(intent, peer)
        if (needs.ok) changes.push(...this.#compare(needs.value, toRecheck.has(peer.subnet)))
      }
      await this.#apply(changes)
      await turn()
    }
  }

  /** Deletions, in the opposite order of the adds. */
  async finish(): Promise<PassResult> {
    const deletions: KernelChange[] = []
    for (const [kind, { comparison, why }] of this.#open) {
      if (why !== undefined) this.#input.conflicts.found(kind, comparison.conflicts)
      if (this.#input.complete) deletions.unshift(...comparison.rest().filter((change) => !this.#isNeeded(change)))
    }
    await this.#apply(deletions)
    for (const [kind, digest] of this.#digests) this.#input.cleanDigests.set(kind, digest)
    for (const { change } of this.#failures) this.#input.cleanDigests.delete(change.object.kind)
    return { failures: this.#failures, deleted: deletions.map(({ object }) => object), work: this.#work }
  }

  /** While a device cannot be created, the one it replaces is kept, with what depends on it. */
  #isNeeded({ object }: KernelChange): boolean {
    const stuck = this.#failures.some(({ change }) => change.object.kind === 'link')
    const on = object.kind === 'route' ? object.target : object
    const device = object.kind === 'link' ? object.name : 'device' in on ? on.device : undefined
    return stuck && device !== undefined && this.#input.domain.devices.has(device)
  }

  /** Begins the comparison of a kind, if there is something to compare. */
  async #read(kind: Kind): Promise<void> {
    const { kernel, domain, networks, appliedBefore, conflicts, refused, cleanDigests } = this.#input
    const why = this.#stale.get(kind)
    const devices = [...domain.devices]
    const digest = why === undefined ? undefined : await kernel.fingerprint(kind, devices)
    const known = why === undefined || (why === 'audit' && digest !== undefined && digest === cleanDigests.get(kind))
    if (known && networks.every(({ toRecheck }) => toRecheck.size === 0)) return
    if (digest !== undefined && !known) this.#digests.set(kind, digest)
    const actual = known
      ? conflicts.within(kind, objectsBefore(networks, kind))
      : new Map(await kernel.observe(kind, devices))
    // An object that was there before ours is a conflict; one that replaced ours is damage.
    const held = (wanted: KernelObject): boolean =>
      appliedBefore &&
      !conflicts.has(keyOf(wanted)) &&
      !refused.has(keyOf(wanted)) &&
      !(wanted.kind === 'route' && isNew(networks, wanted.destination))
    this.#open.set(kind, { comparison: new KindComparison(actual, domain, held), why: known ? undefined : why })
  }

  /** The changes for objects whose kind is being compared. `changed`: they belong to a peer that changed. */
  #compare(objects: readonly KernelObject[], changed: boolean): KernelChange[] {
    const changes: KernelChange[] = []
    for (const object of objects) {
      const open = this.#open.get(object.kind)
      if (open === undefined) continue
      if (open.why === undefined && !changed) continue
      const change = open.comparison.want(object)
      if (change !== undefined) changes.push(change)
    }
    return changes
  }

  /** Whether a change repairs what another program did. */
  #isRepair({ object }: KernelChange): boolean {
    return isRepair(this.#open.get(object.kind)?.why) && !this.#expected.has(keyOf(object))
  }

  async #apply(changes: readonly KernelChange[]): Promise<void> {
    if (changes.length === 0) return
    for (const change of changes) {
      const { kind } = change.object
      const why = this.#open.get(kind)?.why
      const work = this.#work.get(kind) ?? { why, changes: 0, repairs: 0, first: undefined, refused: 0 }
      work.changes++
      if (this.#isRepair(change)) {
        work.repairs++
        work.first ??= change
      }
      this.#work.set(kind, work)
    }
    // A portion holds several peers. What a route depends on has to be there before it.
    const order = (change: KernelChange): number => KINDS.indexOf(change.object.kind)
    const sorted = changes[0]?.verb === 'delete' ? changes : changes.toSorted((a, b) => order(a) - order(b))
    const refused = await this.#input.kernel.apply(sorted)
    for (const { change } of refused) {
      const work = this.#work.get(change.object.kind)
      if (work !== undefined && this.#isRepair(change)) work.refused++
    }
    this.#failures.push(...refused)
  }
}

/** The objects of changed peers when they were last programmed, which are what the kernel has. */
function objectsBefore(networks: readonly PassNetwork[], kind: Kind): Map<string, KernelObject> {
  const objects = new Map<string, KernelObject>()
  for (const { intent, toRecheck } of networks)
    for (const before of toRecheck.values()) {
      const needed = before === undefined ? undefined : peerObjects(intent, before)
      if (needed?.ok !== true) continue
      for (const object of needed.value) if (object.kind === kind) objects.set(keyOf(object), object)
    }
  return objects
}

function* present(subnets: Iterable<Prefix>, peers: Peers): Generator<Peer> {
  for (const subnet of subnets) {
    const peer = peers.get(subnet)
    if (peer !== undefined) yield peer
  }
}

function isNew(networks: readonly PassNetwork[], subnet: Prefix): boolean {
  return networks.some(({ toRecheck }) => toRecheck.has(subnet) && toRecheck.get(subnet) === undefined)
}

function isRepair(why: Staleness | undefined): boolean {
  return why === 'drift' || why === 'audit'
}

function keysOf({ intent, toRecheck, peers }: PassNetwork): readonly string[] {
  const before = [...toRecheck.values()].filter((peer) => peer !== undefined)
  return [...before, ...present(toRecheck.keys(), peers)].flatMap((peer) => {
    const needs = peerObjects(intent, peer)
    return needs.ok ? needs.value.map(keyOf) : []
  })
}
