// The pure decision which subnet we claim, given all leases there are.
// Invariant: a key is claimed only on the revision it was seen at, and a key of a host that lives is never claimed. A host
// that runs keeps its subnet whatever the config says by now: only another host's lease on it makes it move.
import { type Claim, type OwnLease, type Found } from './found.ts'
import type { Checked } from '../backend.ts'
import type { Entry } from '../etcd/store.ts'
import { overlaps, type Prefix } from '../ip/prefix.ts'
import { chooseSubnet, fits, sizeOf, type SubnetRange } from './allocate.ts'
import { decodeClaim, decodeKey, encodeValue, readSafely } from './codec.ts'
import type { LeaseKey } from './lease.ts'
import { type Tie, isHosts, rivalFor, tieOf } from './tie.ts'

/** What to do next. */
export type Decision =
  /** It is ours and says what it shall: nothing to write. */
  | { readonly type: 'keep'; readonly lease: Found }
  /**
   * Write our value under `key` if it still has this revision ("0": is absent), and delete `release` with it. `etcdLease`
   * is one of ours to go on with: "0" keeps a reservation, undefined asks for a new one.
   */
  | {
      readonly type: 'claim'
      readonly subnets: LeaseKey
      readonly modRevision: string
      readonly etcdLease: string | undefined
      readonly release: readonly Found[]
    }
  /** Find out whether the host that wrote this lease lives, then decide again. */
  | { readonly type: 'probe'; readonly lease: Found }
  /** A living host has our public address. */
  | { readonly type: 'duplicate'; readonly lease: Found }
  /** Another host has the subnet we insist on. */
  | { readonly type: 'conflict'; readonly lease: Found }
  | { readonly type: 'exhausted'; readonly range: SubnetRange; readonly size: bigint }

/**
 * The leases among raw entries; malformed keys name no subnet and are left out. Of a lease that does not `matter` only the
 * subnet is told: reading all values takes as long as all else.
 */
export function findLeases(
  prefix: string,
  entries: readonly Entry[],
  matters: (entry: Entry) => boolean = () => true,
): readonly Found[] {
  return entries.flatMap((entry) => {
    const key = decodeKey(prefix, entry.key)
    if (!key.ok) return []
    const { subnet, subnet6 } = key.value
    const { modRevision, lease } = entry
    const read = readSafely(() => textOf(entry, matters))
    return [
      {
        key: entry.key,
        subnet,
        subnet6,
        text: read.ok ? read.value.text : '',
        value: read.ok ? read.value.value : undefined,
        modRevision,
        etcdLease: lease,
        ...(read.ok || read.reason !== 'bug' ? {} : { bug: read.detail }),
      },
    ]
  })
}

function textOf(entry: Entry, matters: (entry: Entry) => boolean): Checked<Pick<Found, 'text' | 'value'>> {
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
  leases: readonly Found[],
  claim: Claim,
  held: OwnLease | undefined,
  alive: ReadonlyMap<string, boolean>,
  random: () => number,
): Decision {
  const ties = new Map<Found, Tie>()
  for (const lease of leases) {
    const tie = tieOf(lease, claim, held, alive)
    if (tie !== 'other') ties.set(lease, tie)
  }
  const tied = (tie: Tie): readonly Found[] => [...ties].flatMap(([lease, its]) => (its === tie ? [lease] : []))

  const firm = tied('ours')
  const unknown = tied('unknown')[0]
  const rival = held && rivalFor(held, leases, ties, claim)
  // At a start any subnet of the config will do. Who runs has containers in theirs, and takes no other while it can be had.
  const settled = held !== undefined && rival === undefined
  const eligible = (lease: Found): boolean => (settled ? lease.key === held.key : suits(lease, claim))
  const chosen = best(firm.filter(eligible), claim)
  if (chosen === undefined && unknown !== undefined) return { type: 'probe', lease: unknown }
  const duplicate = tied('duplicate')[0]
  if (chosen === undefined && duplicate !== undefined) return { type: 'duplicate', lease: duplicate }

  const candidates = CLAIMABLE.flatMap((tie) => [...tied(tie)])
  const suitable = candidates.filter(eligible)
  // At a start the operator's word counts more than where we were before; a running daemon stays where it is.
  const reserved = held === undefined ? suitable.filter((lease) => lease.etcdLease === '0') : []
  const existing = best(reserved, claim) ?? chosen ?? best(suitable, claim)
  const stale = existing === undefined ? candidates : firm
  // A reservation is the operator's: never deleted.
  const release = stale.filter((lease) => lease !== existing && lease.etcdLease !== '0').slice(0, 16)

  if (existing !== undefined) {
    if (existing.text === encodeValue(claim.value(existing)) && release.length === 0)
      return { type: 'keep', lease: existing }
    const etcdLease =
      ties.get(existing) === 'of-dead-host' && existing.etcdLease !== '0' ? undefined : existing.etcdLease
    return { type: 'claim', subnets: subnetsOf(existing), modRevision: existing.modRevision, etcdLease, release }
  }
  if (rival !== undefined && claim.insists === true) return { type: 'conflict', lease: rival }
  return fresh(leases, release, claim, held, settled, random)
}

/** A claim of a key that does not exist: the subnet of who is `settled`, the previous one when it is free, else any. */
function fresh(
  leases: readonly Found[],
  release: readonly Found[],
  claim: Claim,
  held: OwnLease | undefined,
  settled: boolean,
  random: () => number,
): Decision {
  const { ipv4, ipv6 } = claim.ranges
  const taken = leases.filter((lease) => !release.includes(lease) && isHosts(lease, claim))
  const holder = claim.insists === true ? holderOf(claim.previousSubnet, ipv4, taken) : undefined
  if (holder !== undefined) return { type: 'conflict', lease: holder }
  const subnets = taken.map((lease) => lease.subnet)
  const subnet = settled && held !== undefined ? held.subnet : pick(ipv4, subnets, claim.previousSubnet, random)
  if (subnet === undefined) return { type: 'exhausted', range: ipv4, size: sizeOf(ipv4) }
  const taken6 = taken.flatMap((lease) => lease.subnet6 ?? [])
  const subnet6 = ipv6 && pick(ipv6, taken6, claim.previousSubnet6, random)
  if (ipv6 !== undefined && subnet6 === undefined) return { type: 'exhausted', range: ipv6, size: sizeOf(ipv6) }
  const ours = release.find(
    (lease) => lease.value?.hostId === claim.hostId || lease.value?.hostId === undefined,
  )?.etcdLease
  const usable = [held?.etcdLease, ours].find((lease) => lease !== undefined && lease !== '0')
  return { type: 'claim', subnets: { subnet, subnet6 }, modRevision: '0', etcdLease: usable, release }
}

function pick(
  range: SubnetRange,
  taken: readonly Prefix[],
  previous: Prefix | undefined,
  random: () => number,
): Prefix | undefined {
  if (previous !== undefined && fits(range, previous) && !taken.some((prefix) => overlaps(prefix, previous)))
    return previous
  return chooseSubnet(range, taken, random)
}

/** Who has a subnet that we had and could have again. */
function holderOf(previous: Prefix | undefined, range: SubnetRange, taken: readonly Found[]): Found | undefined {
  if (previous === undefined || !fits(range, previous)) return undefined
  return taken.find((lease) => overlaps(lease.subnet, previous))
}

/** Whether a lease's subnets are what the config asks for. */
function suits(lease: LeaseKey, claim: Claim): boolean {
  const { ipv4, ipv6 } = claim.ranges
  if (!fits(ipv4, lease.subnet)) return false
  return ipv6 === undefined ? lease.subnet6 === undefined : lease.subnet6 !== undefined && fits(ipv6, lease.subnet6)
}

/** The one we had, else the one that has said so for longest: another host can put our name into its lease, but only later. */
function best(leases: readonly Found[], claim: Claim): Found | undefined {
  const oldest = leases.toSorted((a, b) => Number(BigInt(a.modRevision) - BigInt(b.modRevision)))[0]
  return leases.find((lease) => lease.subnet === claim.previousSubnet) ?? oldest
}

function subnetsOf({ subnet, subnet6 }: LeaseKey): LeaseKey {
  return { subnet, subnet6 }
}
