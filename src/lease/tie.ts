// How the leases in etcd relate to us: which are ours, which are another host's, and which is in the place of the subnet we hold. Pure.
import { anyFamily } from '../ip/by-family.ts'
import { lengthOf, overlaps } from '../ip/prefix.ts'
import type { Claim, ListedLease, OwnLease } from './found.ts'

/** How a lease relates to us, best first: ours beyond doubt, ours as in Go by its address, or a dead host's. */
export type Tie = 'ours' | 'ours-by-address' | 'of-dead-host' | 'duplicate' | 'unknown' | 'other'

/** How a lease relates to us. `held` and `alive` are those of `decide`. */
export function tieOf(
  lease: ListedLease,
  claim: Claim,
  held: OwnLease | undefined,
  alive: ReadonlyMap<string, boolean>,
): Tie {
  const byLife = (living: Tie, dead: Tie): Tie => {
    const lives = alive.get(lease.key)
    return lives === undefined ? 'unknown' : lives ? living : dead
  }
  if (held !== undefined && isRelic(lease, held, claim)) return byLife('other', 'of-dead-host')
  if (lease.value === undefined) return 'other'
  const { hostId, addresses } = lease.value
  const sameAddress = anyFamily(addresses, claim.addresses, (its, ours) => its === ours)
  const reserved = lease.etcdLease === '0'
  // Our id at another address: this host before it moved, or a clone of this machine that lives.
  if (hostId === claim.hostId) return sameAddress || reserved || isHeld(lease, held) ? 'ours' : byLife('other', 'ours')
  if (!sameAddress) return 'other'
  if (hostId === undefined) return 'ours-by-address'
  // A reservation does not say whether its host lives.
  return reserved ? 'duplicate' : byLife('duplicate', 'of-dead-host')
}

function isHeld({ key, etcdLease }: ListedLease, held: OwnLease | undefined): boolean {
  return held?.key === key && held.etcdLease === etcdLease
}

/**
 * Another host's lease on our subnet that is older than our own last write: etcd was restored from a backup made before we had
 * it. Its host, if it lives, has another subnet by now and gives this one up when it reads the lease. Only our own daemons
 * show whether they live: they renew every 10 s.
 */
function isRelic({ subnets, value, modRevision, etcdLease }: ListedLease, held: OwnLease, claim: Claim): boolean {
  if (!anyFamily(subnets, held.subnets, overlaps) || BigInt(modRevision) >= BigInt(held.modRevision)) return false
  if (value?.hostId === undefined || etcdLease === '0') return false
  return value.hostId !== claim.hostId && !anyFamily(value.addresses, claim.addresses, (its, ours) => its === ours)
}

/** The lease of another host on the subnet that we hold; undefined while it is ours, or free, or may be a dead host's. */
export function rivalFor(
  { key, subnets }: OwnLease,
  leases: readonly ListedLease[],
  ties: ReadonlyMap<ListedLease, Tie>,
  claim: Claim,
): ListedLease | undefined {
  const there = leases.filter((lease) => anyFamily(lease.subnets, subnets, overlaps) && isHosts(lease, claim))
  const foreign = (lease: ListedLease): boolean => ['duplicate', 'other'].includes(ties.get(lease) ?? 'other')
  // While its key says that it is ours, others that overlap it came later.
  if (there.some((lease) => lease.key === key && !foreign(lease))) return undefined
  return there.find(foreign)
}

/** A network holds at least four subnets: a prefix wider than a quarter of it is not a host's and must not block the others. */
export function isHosts({ subnets }: ListedLease, { ranges }: Pick<Claim, 'ranges'>): boolean {
  return anyFamily(subnets, ranges, (subnet, { network }) => lengthOf(subnet) >= lengthOf(network) + 2)
}
