// The peers of one family: every lease in etcd that is not ours and is valid, and the reason for each one that is not.
// Invariants: no two peers share a subnet, none lies outside the network or on our own subnet, no two hosts share what a
// backend holds exclusive; the peers depend on the leases there are, not on their order; a step reports exactly the peers
// that it changed. Pure: entries in, differences out. JSON is not kept, so a change of the rules needs a new listing.
import type { Peer } from '../backend.ts'
import type { StoreChange, StoreEntry } from '../etcd/store.ts'
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'
import { inPortions } from '../async/chunks.ts'
import { inFamily } from '../ip/by-family.ts'
import { decodeKey } from './codec.ts'
import { type Claimant, ExclusiveClaims, type Resource, winner } from './exclusive-claims.ts'
import { type Age, Holders, ageOf } from './holders.ts'
import { type PeerRules, readPeer, samePeer } from './peer-check.ts'
import { type PeerStep, StepNotes } from './peer-step.ts'
import { type Contestant, Waiting, byAge } from './waiting.ts'

/** The peers of one network. */
export class PeerTable {
  readonly #prefix: string
  #rules: PeerRules
  readonly #peers = new Map<Prefix, Peer>()
  /** Holders of subnets that lost a contest: good but for another host with the same MAC, say. */
  readonly #losers = new Map<Prefix, Peer>()
  readonly #holders: Holders
  readonly #waiting = new Waiting()
  readonly #conflict = new ExclusiveClaims()
  readonly #refused = new Map<string, string>()
  readonly #notes = new StepNotes()

  /** `prefix` is the etcd prefix of the network. */
  constructor(prefix: string, rules: PeerRules) {
    this.#prefix = prefix
    this.#holders = new Holders(prefix)
    this.#rules = rules
  }

  /** The key of the lease that holds a subnet, believed or not. */
  keyOf(subnet: Prefix): string {
    return this.#holders.keyOf(subnet)
  }

  /** Accepted peers by subnet. */
  get peers(): ReadonlyMap<Prefix, Peer> {
    return this.#peers
  }

  /** The reason by key of every refused lease. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused
  }

  /** Takes the first leases, in portions: the table must not be read before this resolves. */
  async first(entries: readonly StoreEntry[], rules: PeerRules): Promise<PeerStep> {
    this.#rules = rules
    for await (const portion of inPortions(entries)) for (const entry of portion) this.#put(entry)
    for await (const portion of inPortions(this.#conflict.takeUnsettled())) for (const it of portion) this.#settle(it)
    return this.#notes.finishInPortions(this.#peers, this.#refused)
  }

  /** Takes all leases there are, under new rules when given; those that are absent go, unless they are to be kept. */
  snapshot(
    entries: readonly StoreEntry[],
    rules: PeerRules = this.#rules,
    absent: 'delete' | 'keep' = 'delete',
  ): PeerStep {
    this.#rules = rules
    const present = new Set<string>()
    for (const entry of entries) {
      present.add(entry.key)
      this.#put(entry)
    }
    for (const subnet of this.#holders.subnets) {
      // Deleting one lets a waiting one follow, which may be gone as well.
      while (this.#isAbsent(subnet, present) && (absent === 'delete' || this.#isReplaced(subnet, present)))
        this.#delete(this.#holders.keyOf(subnet))
    }
    for (const key of [...this.#refused.keys()]) if (!present.has(key)) this.#delete(key)
    return this.#finish()
  }

  /** The keys of all leases that claim what another claims as well. */
  get rivals(): readonly string[] {
    return this.#conflict.rivals.map((subnet) => this.#holders.keyOf(subnet))
  }

  /** Decides again who has what several claim: the hosts that live are others now. */
  resettle(): PeerStep {
    this.#conflict.unsettleAll()
    return this.#finish()
  }

  /** Keys of believed leases that are not among these. */
  absentFrom(present: ReadonlySet<string>): readonly string[] {
    return this.#holders.subnets.map((subnet) => this.#holders.keyOf(subnet)).filter((key) => !present.has(key))
  }

  /** Takes changes in their order. */
  change(changes: readonly StoreChange[]): PeerStep {
    for (const change of changes) {
      if (change.type === 'put') this.#put(change.entry)
      else this.#delete(change.key)
    }
    return this.#finish()
  }

  /**
   * Takes out what belongs to addresses that are shut out by now, be it absent and kept. The next listing has the rest. `other` is the
   * address of a subnet's host in another family.
   */
  shutOut(other: (subnet: Prefix) => Address | undefined = () => undefined): PeerStep {
    const isOut = (it?: Address): boolean => it !== undefined && this.#rules.shutOut?.(it) === true
    const held = this.#holders.subnets.map((subnet) => this.#candidateOf(subnet))
    // The waiting ones first: none of them may follow.
    for (const candidate of [...this.#waiting.all, ...held]) {
      const { sourceAddress, ...peer } = candidate.peer
      const out = [peer.publicAddress, other(peer.subnet)].find(isOut)
      if (out !== undefined) {
        this.#delete(candidate.key)
        this.#refuse(candidate.key, 'shut-out', out)
      } else if (isOut(sourceAddress)) {
        // The rest of the lease is valid: such an address may be that of another host on another LAN.
        if (held.includes(candidate)) this.#hold({ ...candidate, peer })
        else this.#waiting.add({ ...candidate, peer })
      }
    }
    return this.#finish()
  }

  #put(entry: StoreEntry): void {
    const { key } = entry
    if (key === this.#rules.own?.key) {
      this.#delete(key)
      return
    }
    const read = readPeer(this.#prefix, entry, this.#rules)
    if (!read.ok) {
      const known = this.#refused.get(key)
      this.#delete(key)
      this.#refuse(key, read.reason, read.detail, known)
      return
    }
    const candidate = { key, peer: read.value, ...this.#ageOf(entry, read.value) }
    const { subnet } = read.value
    const holder = this.#holders.has(subnet) ? this.#holders.keyOf(subnet) : key
    // Several keys may name this subnet: the oldest has it, the others wait.
    const rival = holder === key ? this.#waiting.oldest(subnet) : this.#candidateOf(subnet)
    if (rival === undefined || byAge(candidate, rival) < 0) {
      this.#hold(candidate)
      if (rival !== undefined && holder !== key) this.#wait(rival, key)
    } else {
      this.#wait(candidate, rival.key)
      if (holder === key) this.#hold(rival)
    }
  }

  #delete(key: string): void {
    this.#refused.delete(key)
    const decoded = decodeKey(this.#prefix, key)
    if (!decoded.ok) return
    const subnet = inFamily(decoded.value, this.#rules.family)
    if (subnet === undefined) return
    this.#waiting.remove(subnet, key)
    if (!this.#holders.has(subnet) || this.#holders.keyOf(subnet) !== key) return
    const next = this.#waiting.oldest(subnet)
    if (next === undefined) this.#letGo(subnet)
    else this.#hold(next)
  }

  #isAbsent(subnet: Prefix, present: ReadonlySet<string>): boolean {
    return this.#holders.has(subnet) && !present.has(this.#holders.keyOf(subnet))
  }

  /** Whether the host of a subnet has it by another key, as when the config switches a family on or off. */
  #isReplaced(subnet: Prefix, present: ReadonlySet<string>): boolean {
    const next = this.#waiting.oldest(subnet)
    const sameHost = next?.peer.publicAddress === this.#holderOf(subnet).publicAddress
    return next !== undefined && sameHost && present.has(next.key)
  }

  /** Gives a subnet to a lease. */
  #hold(candidate: Contestant): void {
    const { key, peer } = candidate
    const { subnet } = peer
    this.#waiting.remove(subnet, key)
    const before = this.#holders.has(subnet) ? this.#resourceOf(this.#holderOf(subnet)) : undefined
    const resource = this.#resourceOf(peer)
    this.#holders.set(candidate)
    const changed = before?.what !== resource?.what || before?.type !== resource?.type
    if (before !== undefined && changed) this.#conflict.leave(before, subnet)
    if (resource !== undefined) this.#conflict.enter(resource, subnet)
    const lost = resource !== undefined && this.#losers.has(subnet)
    if (lost) this.#losers.set(subnet, peer)
    else this.#accept(subnet, peer)
    if (resource !== undefined && (lost || this.#conflict.isContested(resource))) this.#conflict.unsettle(resource)
  }

  /** How old a lease is, and its claim. */
  #ageOf(entry: StoreEntry, peer: Peer): Age {
    if (this.#rules.remembersClaims !== true) return ageOf(entry, undefined)
    const holds = this.#holders.has(peer.subnet) && this.#holders.keyOf(peer.subnet) === entry.key
    const known = holds ? this.#candidateOf(peer.subnet) : this.#waiting.find(peer.subnet, entry.key)
    if (known === undefined) return ageOf(entry, this.#refused.has(entry.key) ? 'another' : undefined)
    return ageOf(entry, this.#resourceOf(known.peer)?.what === this.#resourceOf(peer)?.what ? known.claimed : 'another')
  }

  /** A subnet has no holder any more. */
  #letGo(subnet: Prefix): void {
    const resource = this.#resourceOf(this.#holderOf(subnet))
    this.#notes.touch(subnet, this.#peers.get(subnet))
    for (const map of [this.#peers, this.#losers, this.#holders]) map.delete(subnet)
    if (resource !== undefined) this.#conflict.leave(resource, subnet)
  }

  #finish(): PeerStep {
    for (const resource of this.#conflict.takeUnsettled()) this.#settle(resource)
    return this.#notes.finish(this.#peers, this.#refused)
  }

  #settle(resource: Resource): void {
    const subnets = this.#conflict.claimants(resource)
    const winning = winner(subnets.map((subnet) => this.#claimantOf(subnet)))
    for (const [subnet, peer] of subnets.map((subnet) => [subnet, this.#holderOf(subnet)] as const)) {
      if (peer.publicAddress === winning) this.#accept(subnet, peer)
      else this.#lose(subnet, peer, `${resource.what} is ${winning ?? ''}'s`)
    }
  }

  #accept(subnet: Prefix, peer: Peer): void {
    this.#losers.delete(subnet)
    this.#refused.delete(this.#holders.keyOf(subnet))
    const known = this.#peers.get(subnet)
    if (known !== undefined && samePeer(known, peer)) return
    this.#notes.touch(subnet, known)
    this.#peers.set(subnet, peer)
  }

  #lose(subnet: Prefix, peer: Peer, detail: string): void {
    this.#notes.touch(subnet, this.#peers.get(subnet))
    this.#peers.delete(subnet)
    this.#losers.set(subnet, peer)
    this.#refuse(this.#holders.keyOf(subnet), 'duplicate-mac', detail)
  }

  #wait(candidate: Contestant, holder: string): void {
    this.#waiting.add(candidate)
    this.#refuse(candidate.key, 'overlap', `${candidate.peer.subnet} is ${holder}'s`)
  }

  #refuse(key: string, reason: string, detail: string, known = this.#refused.get(key)): void {
    if (known !== reason) this.#notes.refuse({ key, reason, detail })
    this.#refused.set(key, reason)
  }

  #holderOf(subnet: Prefix): Peer {
    const holder = this.#peers.get(subnet) ?? this.#losers.get(subnet)
    if (holder === undefined) throw new Error(`bug: no peer holds ${subnet}`)
    return holder
  }

  #candidateOf(subnet: Prefix): Contestant {
    return { key: this.#holders.keyOf(subnet), peer: this.#holderOf(subnet), ...this.#holders.ageOf(subnet) }
  }

  #claimantOf(subnet: Prefix): Claimant {
    const { publicAddress } = this.#holderOf(subnet)
    const { claimed } = this.#holders.ageOf(subnet)
    return { publicAddress, claimed, alive: this.#rules.alive?.(this.#holders.keyOf(subnet)) ?? true }
  }

  #resourceOf({ type, data }: Peer): Resource | undefined {
    const what = this.#rules.exclusive(type, data)
    return what === undefined ? undefined : { type, what }
  }
}
