// How the range of subnets of one family is used by the leases in etcd, and what is wrong with where they lie. Pure.
import type { StoreEntry } from '../etcd/store.ts'
import { bigintOf } from '../ip/address.ts'
import { type Prefix, addressOf, contains, lengthOf, overlaps } from '../ip/prefix.ts'
import { type SubnetRange, chooseSubnet, countFree, fits, sizeOf } from '../lease/allocate.ts'

/** How a range is used. */
export interface SubnetCounts {
  readonly total: number
  /** Not free, reservations among them. */
  readonly used: number
  readonly reserved: number
  readonly free: number
  /** The first free one; null when there is none. Hosts take any, not this one first. */
  readonly next: string | null
}

/** A key and the subnet of this family that it names. */
export interface NamedEntry {
  readonly entry: Pick<StoreEntry, 'lease'>
  readonly subnet: Prefix
}

/** The order of two subnets of one family. */
export function inSubnetOrder(a: Prefix, b: Prefix): number {
  const [first, second] = [bigintOf(addressOf(a)), bigintOf(addressOf(b))]
  return first < second ? -1 : first > second ? 1 : 0
}

/** What is wrong with where each lies, where something is: several may name one subnet. */
export function odditiesOf<T extends NamedEntry>(range: SubnetRange, named: readonly T[]): ReadonlyMap<T, string> {
  const odd = new Map<T, string>()
  let before: Prefix | undefined
  for (const one of named.toSorted((a, b) => inSubnetOrder(a.subnet, b.subnet))) {
    const what = oddity(range, one.subnet, before)
    if (what !== '') odd.set(one, what)
    before = one.subnet
  }
  return odd
}

/** `before` is the one before it in order. */
function oddity(range: SubnetRange, subnet: Prefix, before: Prefix | undefined): string {
  if (!contains(range.network, subnet)) return `outside ${range.network}`
  if (lengthOf(subnet) !== range.subnetLen) return `not a /${range.subnetLen}`
  if (before !== undefined && contains(range.network, before) && overlaps(before, subnet)) return `overlaps ${before}`
  return fits(range, subnet) ? '' : 'outside SubnetMin to SubnetMax'
}

/** The counts of a range. */
export function subnetCountsOf(range: SubnetRange, named: readonly NamedEntry[]): SubnetCounts {
  // As when a host chooses: what is wider than a quarter of the network takes nothing.
  const widest = lengthOf(range.network) + 2
  const taken = named.map(({ subnet }) => subnet).filter((subnet) => lengthOf(subnet) >= widest)
  const total = sizeOf(range)
  const free = countFree(range, taken)
  const reserved = new Set(
    named.flatMap(({ entry, subnet }) => (entry.lease === '0' && fits(range, subnet) ? [subnet] : [])),
  )
  return {
    total: Number(total),
    used: Number(total - free),
    reserved: reserved.size,
    free: Number(free),
    next: chooseSubnet(range, taken, () => 0) ?? null,
  }
}
