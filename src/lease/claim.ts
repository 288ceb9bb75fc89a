// Which subnets we claim, given all leases there are. Pure.
// Invariant: a key is claimed only at the revision it was read at, and never while its host lives. A running host keeps its
// subnets whatever the config says by now: only another host's lease on them makes it move.
import type { Claim, ListedLease, OwnLease } from './found.ts'
import type { Checked } from '../backend.ts'
import type { StoreEntry } from '../etcd/store.ts'
import {
  type ByFamily,
  FAMILIES,
  NEITHER,
  anyFamily,
  byFamily,
  first,
  inFamily,
  mapFamilies,
  some,
  valuesOf,
} from '../ip/by-family.ts'
import { overlaps, type Prefix } from '../ip/prefix.ts'
import { chooseSubnet, fits, sizeOf, type SubnetRange } from './allocate.ts'
import { decodeClaim, decodeKey, encodeValue, readSafely } from './codec.ts'
import type { Subnets } from './lease.ts'
import { type Tie, isHosts, rivalFor, tieOf } from './tie.ts'

/** What to do next. */
export type Decision =
  /** It is ours and has the value we would write. */
  | { readonly type: 'keep'; readonly lease: ListedLease }
  /**
   * Write our value under `key` if it still has this revision ("0": is absent), and delete `release` with it. `etcdLease`
   * is one of ours to keep using: "0" keeps a reservation, undefined asks for a new one.
   */
  | {
      readonly type: 'claim'
      readonly subnets: Subnets
      readonly modRevision: string
      readonly etcdLease: string | undefined
      readonly release: readonly ListedLease[]
    }
  /** Find out whether the host that wrote this lease lives, then decide again. */
  | { readonly type: 'probe'; readonly lease: ListedLease }
  /** A living host has our public address. */
  | { readonly type: 'duplicate'; readonly lease: ListedLease }
  /** Another host has the subnet that we wait for. */
  | { readonly type: 'conflict'; readonly lease: ListedLease }
  | { readonly type: 'exhausted'; readonly range: SubnetRange; readonly size: bigint }

/**
 * The leases among raw entries; malformed keys name no subnet and are left out. Of a lease that does not `matter` only the
 * subnets are read: reading all values takes as long as everything else.
 */
export function findLeases(
  prefix: string,
  entries: readonly StoreEntry[],
  matters: (entry: StoreEntry) => boolean = () => true,
): readonly ListedLease[] {
  return entries.flatMap((entry) => {
    const key = decodeKey(prefix, entry.key)
    if (!key.ok) return []
    const { modRevision, lease } = entry
    const read = readSafely(() => textOf(entry, matters))
    return [
      {
        key: entry.key,
        subnets: key.value,
        text: read.ok ? read.value.text : '',
        value: read.ok ? read.value.value : undefined,
        modRevision,
        etcdLease: lease,
        ...(read.ok || read.reason !== 'bug' ? {} : { bug: read.detail }),
      },
    ]
  })
}

function textOf(
  entry: StoreEntry,
  matters: (entry: StoreEntry) => boolean,
): Checked<Pick<ListedLease, 'text' | 'value'>> {
  if (!matters(entry)) return { ok: true, value: { text: '', value: undefined } }
  const value = decodeClaim(entry.value)
  return value.ok ? { ok: true, value: { text: entry.value.toString(), value: value.value } } : value
}

const CLAIMABLE: readonly Tie[] = ['ours', 'ours-by-address', 'of-dead-host']

/**
 * Decides. `held` is the lease this very process holds; `alive` says of probed keys whether their host lives; `random` as
 * Math.random.
 */
export function decide(
  leases: readonly ListedLease[],
  claim: Claim,
  held: OwnLease | undefined,
  alive: ReadonlyMap<string, boolean>,
  random: () => number,
): Decision {
  const ties = tiesOf(leases, claim, held, alive)
  const tied = (tie: Tie): readonly ListedLease[] => [...ties].flatMap(([lease, its]) => (its === tie ? [lease] : []))

  const firm = tied('ours')
  const rival = held && rivalFor(held, leases, ties, claim)
  // At a start any subnet of the config will do. A running host has containers in its subnet, and keeps it while it can.
  const kept = rival === undefined ? held : undefined
  const eligible = (lease: ListedLease): boolean =>
    kept === undefined ? suits(lease, claim) : lease.key === kept.key && sameFamilies(lease.subnets, claim.ranges)
  const chosen = best(firm.filter(eligible), claim)
  const open = chosen === undefined ? openQuestion(tied) : undefined
  if (open !== undefined) return open

  const candidates = CLAIMABLE.flatMap((tie) => [...tied(tie)])
  const suitable = candidates.filter(eligible)
  // At a start the operator's word counts more than where we were before; a running daemon stays where it is.
  const reserved = held === undefined ? suitable.filter((lease) => lease.etcdLease === '0') : []
  const existing = best(reserved, claim) ?? chosen ?? best(suitable, claim)
  const stale = existing === undefined ? candidates : firm
  // A reservation is the operator's: never deleted.
  const release = stale.filter((lease) => lease !== existing && lease.etcdLease !== '0').slice(0, 16)

  if (existing !== undefined) return claimExisting(existing, ties, claim, release)
  if (rival !== undefined && claim.waitsForPrevious === true) return { type: 'conflict', lease: rival }
  return decideNew(leases, claim, { candidates, release, kept, held }, random)
}

/** What a claim of a new key is decided from, beside all leases. */
interface NewClaim {
  /** What we may claim, best first, and what of it goes. */
  readonly candidates: readonly ListedLease[]
  readonly release: readonly ListedLease[]
  /** The lease whose subnets a running host keeps. */
  readonly kept: OwnLease | undefined
  readonly held: OwnLease | undefined
}

function decideNew(
  leases: readonly ListedLease[],
  claim: Claim,
  { candidates, release, kept, held }: NewClaim,
  random: () => number,
): Decision {
  const taken = leases.filter((lease) => !release.includes(lease) && isHosts(lease, claim))
  const holder = claim.waitsForPrevious === true ? holderOfPrevious(claim, taken) : undefined
  if (holder !== undefined) return { type: 'conflict', lease: holder }
  // The config may have switched a family on or off: what our lease has in the others stays.
  const former =
    kept ??
    best(
      candidates.filter((lease) => hasOtherFamilies(lease, claim)),
      claim,
    )
  const keeps = kept?.subnets ?? (former === undefined ? NEITHER : fitting(former.subnets, claim))
  const others = taken.filter(({ key }) => key !== former?.key)
  return claimNew(chooseSubnets(others, claim, keeps, random), claim, withFormer(release, former, candidates), held)
}

/**
 * What goes with a claim of a new key: the lease whose subnets it takes over among it. A reservation is never deleted, but for
 * that one: when the config switches a family on or off, the operator's word for the host's subnet holds for the new key.
 */
function withFormer(
  release: readonly ListedLease[],
  former: Pick<OwnLease, 'key'> | undefined,
  candidates: readonly ListedLease[],
): readonly ListedLease[] {
  const lease = candidates.find(({ key }) => key === former?.key)
  return lease === undefined ? release : [lease, ...release.filter((other) => other !== lease)]
}

/** Whether a lease has a subnet for a config that has switched a family on or off since. */
function hasOtherFamilies({ subnets }: ListedLease, claim: Claim): boolean {
  return !sameFamilies(subnets, claim.ranges) && valuesOf(fitting(subnets, claim)).length > 0
}

/** Those of the subnets that are in the config's ranges. */
function fitting(subnets: ByFamily<Prefix>, { ranges }: Claim): ByFamily<Prefix> {
  return mapFamilies(subnets, (subnet, family) => {
    const range = inFamily(ranges, family)
    return range !== undefined && fits(range, subnet) ? subnet : undefined
  })
}

function sameFamilies(a: ByFamily<unknown>, b: ByFamily<unknown>): boolean {
  return FAMILIES.every((family) => (inFamily(a, family) === undefined) === (inFamily(b, family) === undefined))
}

/** How each lease relates to us; those of other hosts are left out. */
function tiesOf(
  leases: readonly ListedLease[],
  claim: Claim,
  held: OwnLease | undefined,
  alive: ReadonlyMap<string, boolean>,
): ReadonlyMap<ListedLease, Tie> {
  const ties = new Map<ListedLease, Tie>()
  for (const lease of leases) {
    const tie = tieOf(lease, claim, held, alive)
    if (tie !== 'other') ties.set(lease, tie)
  }
  return ties
}

/** What has to be found out, or settled by the operator, before anything is claimed. */
function openQuestion(tied: (tie: Tie) => readonly ListedLease[]): Decision | undefined {
  const [unknown] = tied('unknown')
  if (unknown !== undefined) return { type: 'probe', lease: unknown }
  const [duplicate] = tied('duplicate')
  return duplicate && { type: 'duplicate', lease: duplicate }
}

/** A claim of a key that exists, unless its value is what we would write. */
function claimExisting(
  lease: ListedLease,
  ties: ReadonlyMap<ListedLease, Tie>,
  claim: Claim,
  release: readonly ListedLease[],
): Decision {
  const { subnets, modRevision } = lease
  if (lease.text === encodeValue(claim.value(subnets)) && release.length === 0) return { type: 'keep', lease }
  const expiring = ties.get(lease) === 'of-dead-host' && lease.etcdLease !== '0'
  return { type: 'claim', subnets, modRevision, etcdLease: expiring ? undefined : lease.etcdLease, release }
}

/** A claim of a key that does not exist. */
function claimNew(
  chosen: ByFamily<Prefix>,
  claim: Claim,
  release: readonly ListedLease[],
  held: OwnLease | undefined,
): Decision {
  const subnets = some(chosen)
  const lacking = mapFamilies(claim.ranges, (range, family) => (inFamily(chosen, family) ? undefined : range))
  const [range] = valuesOf(lacking)
  if (range !== undefined || subnets === undefined) {
    const exhausted = range ?? first(claim.ranges)
    return { type: 'exhausted', range: exhausted, size: sizeOf(exhausted) }
  }
  const ours = release.find(({ value }) => value?.hostId === claim.hostId || value?.hostId === undefined)?.etcdLease
  // What is released of the operator's is a reservation that moves.
  const reserved = release.some(({ etcdLease }) => etcdLease === '0')
  const usable = reserved ? '0' : [held?.etcdLease, ours].find((lease) => lease !== undefined && lease !== '0')
  return { type: 'claim', subnets, modRevision: '0', etcdLease: usable, release }
}

/** A subnet of each range: the one we keep, the previous one when it is free, else any; none where all are taken. */
function chooseSubnets(
  taken: readonly ListedLease[],
  { ranges, previous }: Claim,
  kept: ByFamily<Prefix>,
  random: () => number,
): ByFamily<Prefix> {
  return mapFamilies(ranges, (range, family) => {
    const own = inFamily(kept, family)
    if (own !== undefined) return own
    const others = taken.flatMap(({ subnets }) => inFamily(subnets, family) ?? [])
    const before = inFamily(previous, family)
    const free = before !== undefined && fits(range, before) && !others.some((other) => overlaps(other, before))
    return free ? before : chooseSubnet(range, others, random)
  })
}

/** The lease of another host on a subnet that we had and could have again. */
function holderOfPrevious({ ranges, previous }: Claim, taken: readonly ListedLease[]): ListedLease | undefined {
  const wanted = byFamily((family) => {
    const [range, before] = [inFamily(ranges, family), inFamily(previous, family)]
    return range !== undefined && before !== undefined && fits(range, before) ? before : undefined
  })
  return taken.find(({ subnets }) => anyFamily(subnets, wanted, overlaps))
}

/** Whether a lease has a subnet of each range, and no other. */
function suits({ subnets }: ListedLease, { ranges }: Claim): boolean {
  return FAMILIES.every((family) => {
    const [range, subnet] = [inFamily(ranges, family), inFamily(subnets, family)]
    return range === undefined || subnet === undefined ? range === subnet : fits(range, subnet)
  })
}

/** The one we had, else the one that has been ours for longest: another host can write our name into its lease, but only later. */
function best(leases: readonly ListedLease[], { previous }: Claim): ListedLease | undefined {
  const oldest = leases.toSorted((a, b) => Number(BigInt(a.modRevision) - BigInt(b.modRevision)))[0]
  return leases.find(({ subnets }) => anyFamily(subnets, previous, (subnet, before) => subnet === before)) ?? oldest
}
