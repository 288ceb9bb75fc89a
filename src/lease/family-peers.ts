// The peers of a network in every family it has: one table a family, fed from the same leases, and what joins them. A lease
// with two subnets is two peers, each of which names the other.
// Invariants: a peer names its other subnet only while that is believed of the same lease; a lease is refused once, whatever
// the number of families, and not at all where a family of it is merely one that we do not have. Pure.
import type { Peer } from '../backend.ts'
import { inPortions } from '../async/chunks.ts'
import type { StoreChange, StoreEntry } from '../etcd/store.ts'
import {
  type ByFamily,
  FAMILIES,
  NEITHER,
  familiesOf,
  inFamily,
  mapFamilies,
  otherFamily,
  valuesOf,
} from '../ip/by-family.ts'
import type { Address, Family } from '../ip/address.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import { decodeKey } from './codec.ts'
import type { Subnets } from './lease.ts'
import { FAULTLESS, type PeerRules, samePeer } from './peer-check.ts'
import { type PeerChange, type PeerStep, type RefusedLease } from './peer-step.ts'
import { PeerTable } from './peers.ts'

/** The rules of each family in which peers are wanted. */
export type RulesByFamily = ByFamily<PeerRules>

/** The peers of one network. */
export class FamilyPeers {
  readonly #prefix: string
  #tables: ByFamily<PeerTable>
  /** The peers of all families with what they know of each other; undefined while there is one table, which has all of that. */
  #joined: Map<Prefix, Peer> | undefined
  #refused: ReadonlyMap<string, string> = new Map()

  /** `prefix` is the etcd prefix of the network. */
  constructor(prefix: string, rules: RulesByFamily) {
    this.#prefix = prefix
    this.#tables = this.#tablesFor(rules)
    this.#joined = this.#isOne ? undefined : new Map()
  }

  /** Accepted peers by subnet. */
  get peers(): ReadonlyMap<Prefix, Peer> {
    return this.#joined ?? valuesOf(this.#tables)[0]?.peers ?? new Map<Prefix, Peer>()
  }

  /** The reason by key of every refused lease. */
  get refused(): ReadonlyMap<string, string> {
    return this.#joined === undefined ? (valuesOf(this.#tables)[0]?.refused ?? this.#refused) : this.#refused
  }

  /** The keys of all leases that claim what another claims as well. */
  get rivals(): readonly string[] {
    return this.#union((table) => table.rivals)
  }

  /** Keys of believed leases that are not among these. */
  absentFrom(present: ReadonlySet<string>): readonly string[] {
    return this.#union((table) => table.absentFrom(present))
  }

  /** Takes the first leases, in portions: the peers must not be read before this resolves. */
  async first(entries: readonly StoreEntry[], rules: RulesByFamily): Promise<PeerStep> {
    const known = this.#use(rules)
    const steps: PeerStep[] = []
    for (const family of familiesOf(this.#tables)) {
      const [table, own] = [inFamily(this.#tables, family), inFamily(rules, family)]
      if (table === undefined || own === undefined) continue
      steps.push(await table.first(this.#isOne ? entries : entries.filter((it) => this.#concerns(it.key, family)), own))
    }
    if (this.#joined === undefined && steps[0] !== undefined) return steps[0]
    const changes: PeerChange[] = []
    for await (const portion of inPortions([...this.#all(known)])) changes.push(...this.#rejoin(portion, known))
    return { changes, refused: this.#merge(steps) }
  }

  /** Takes all leases there are, under new rules; those that are absent go, unless they are to be kept. */
  snapshot(entries: readonly StoreEntry[], rules: RulesByFamily, absent: 'delete' | 'keep' = 'delete'): PeerStep {
    const known = this.#use(rules)
    const steps = valuesOf(
      mapFamilies(this.#tables, (table, family) => {
        const its = this.#isOne ? entries : entries.filter(({ key }) => this.#concerns(key, family))
        return table.snapshot(its, inFamily(rules, family), absent)
      }),
    )
    if (this.#joined === undefined && known === undefined && steps[0] !== undefined) return steps[0]
    const changes = this.#rejoin(this.#all(known), known)
    return { changes, refused: this.#merge(steps) }
  }

  /** Takes changes in their order. */
  change(changes: readonly StoreChange[]): PeerStep {
    const keys = changes.map((change) => (change.type === 'put' ? change.entry.key : change.key))
    const steps = mapFamilies(this.#tables, (table, family) =>
      table.change(this.#isOne ? changes : changes.filter((_, at) => this.#concerns(keys[at] ?? '', family))),
    )
    return this.#join(valuesOf(steps), keys)
  }

  /** Decides again who has what several claim: the hosts that live are others now. */
  resettle(): PeerStep {
    return this.#join(valuesOf(mapFamilies(this.#tables, (table) => table.resettle())), [])
  }

  /** Takes out what belongs to addresses that are shut out by now, be it absent and kept. The next listing has the rest. */
  shutOut(): PeerStep {
    const other = (subnet: Prefix): Address | undefined => this.#joined?.get(subnet)?.otherAddress
    const steps = mapFamilies(this.#tables, (table) => table.shutOut(other))
    return this.#join(valuesOf(steps), [])
  }

  get #isOne(): boolean {
    return familiesOf(this.#tables).length === 1
  }

  #tablesFor(rules: RulesByFamily, have?: ByFamily<PeerTable>): ByFamily<PeerTable> {
    return mapFamilies(rules, (own, family) => (have && inFamily(have, family)) ?? new PeerTable(this.#prefix, own))
  }

  /** Takes a table for each family of the rules. Returns the peers there were when the families are others now. */
  #use(rules: RulesByFamily): ReadonlyMap<Prefix, Peer> | undefined {
    const same = FAMILIES.every(
      (family) => (inFamily(rules, family) === undefined) === (inFamily(this.#tables, family) === undefined),
    )
    if (same) return undefined
    const before = new Map(this.peers)
    this.#refused = new Map(this.refused)
    this.#tables = this.#tablesFor(rules, this.#tables)
    this.#joined = this.#isOne ? undefined : new Map(before)
    return before
  }

  /** Whether the table of a family is to see a lease. One without a family of ours is for the first table alone, to be refused. */
  #concerns(key: string, family: Family): boolean {
    const subnets = this.#subnetsOf(key)
    const concerned = familiesOf(this.#tables).filter((each) => inFamily(subnets, each) !== undefined)
    return concerned.length > 0 ? concerned.includes(family) : family === familiesOf(this.#tables)[0]
  }

  #subnetsOf(key: string): ByFamily<Prefix> {
    const decoded = decodeKey(this.#prefix, key)
    return decoded.ok ? decoded.value : NEITHER
  }

  /** All subnets that have, or had, a peer. */
  #all(known: ReadonlyMap<Prefix, Peer> = new Map()): ReadonlySet<Prefix> {
    const now = valuesOf(this.#tables).flatMap(({ peers }) => [...peers.keys()])
    return new Set([...known.keys(), ...(this.#joined?.keys() ?? []), ...now])
  }

  /** One step out of those of the tables. `keys` are the leases it was about. */
  #join(steps: readonly PeerStep[], keys: readonly string[]): PeerStep {
    if (this.#joined === undefined) return steps[0] ?? { changes: [], refused: [] }
    const touched = new Set<Prefix>()
    for (const key of keys) for (const subnet of valuesOf(this.#subnetsOf(key))) touched.add(subnet)
    for (const { changes } of steps) for (const { subnet } of changes) touched.add(subnet)
    // What a subnet was joined with, and what it is joined with now.
    for (const subnet of [...touched]) {
      const { also } = this.#joined.get(subnet) ?? {}
      if (also !== undefined) touched.add(also)
      for (const it of valuesOf(this.#leaseOf(subnet))) touched.add(it)
    }
    return { changes: this.#rejoin(touched), refused: this.#merge(steps) }
  }

  /** Joins the peers of these subnets anew. `known` are the peers of before, where those are not the joined ones. */
  #rejoin(subnets: Iterable<Prefix>, known: ReadonlyMap<Prefix, Peer> | undefined = this.#joined): PeerChange[] {
    const changes: PeerChange[] = []
    for (const subnet of subnets) {
      const [before, after] = [known?.get(subnet), this.#peerOf(subnet)]
      if (before !== undefined && after !== undefined && samePeer(before, after)) continue
      if (after === undefined) this.#joined?.delete(subnet)
      else this.#joined?.set(subnet, after)
      if (before !== undefined || after !== undefined) changes.push({ subnet, before, after })
    }
    return changes
  }

  /** The subnets that the lease of a subnet's holder names; none where nobody holds it. */
  #leaseOf(subnet: Prefix): ByFamily<Prefix> | Subnets {
    const table = inFamily(this.#tables, prefixFamily(subnet))
    return table === undefined ? NEITHER : this.#subnetsOf(table.keyOf(subnet))
  }

  /** The peer of a subnet, with what is believed of its lease in the other family. */
  #peerOf(subnet: Prefix): Peer | undefined {
    const family = prefixFamily(subnet)
    const table = inFamily(this.#tables, family)
    const peer = table?.peers.get(subnet)
    if (table === undefined || peer === undefined) return undefined
    const other = otherFamily(family)
    const [also, others] = [inFamily(this.#leaseOf(subnet), other), inFamily(this.#tables, other)]
    const its = also === undefined ? undefined : others?.peers.get(also)
    if (its === undefined || others?.keyOf(its.subnet) !== table.keyOf(subnet)) return peer
    return { ...peer, also: its.subnet, otherAddress: its.publicAddress }
  }

  /** Merges the refusals of the tables; returns those that are new. A fault comes before what is none. */
  #merge(steps: readonly PeerStep[]): readonly RefusedLease[] {
    const before = this.#refused
    const refused = new Map<string, string>()
    for (const table of valuesOf(this.#tables))
      for (const [key, reason] of table.refused) {
        const known = refused.get(key)
        if (known === undefined || (FAULTLESS.has(known) && !FAULTLESS.has(reason))) refused.set(key, reason)
      }
    this.#refused = refused
    const found = new Map<string, RefusedLease>()
    for (const { refused: each } of steps)
      for (const refusal of each)
        if (refused.get(refusal.key) === refusal.reason && before.get(refusal.key) !== refusal.reason)
          found.set(refusal.key, found.get(refusal.key) ?? refusal)
    return [...found.values()]
  }

  #union(tell: (table: PeerTable) => readonly string[]): readonly string[] {
    return [...new Set(valuesOf(this.#tables).flatMap(tell))]
  }
}
