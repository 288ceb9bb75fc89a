// The listing that our claim is decided on: which of its leases have to be read for that, and what it is after the claim.
import type { StoreEntry, Snapshot } from '../etcd/store.ts'
import type { Claim, OwnLease } from './found.ts'
import { encodeValue } from './codec.ts'
import { valuesOf } from '../ip/by-family.ts'

/**
 * Which leases may be ours, or in our way: those that have our host id or address in them, and what we hold. JSON may
 * spell either in other ways, but not without a backslash. A host that waits for its subnet wants to know whose it is.
 */
export function mattersTo(claim: Claim, held: OwnLease | undefined): (entry: StoreEntry) => boolean {
  if (claim.waitsForPrevious === true) return () => true
  const words = [...valuesOf(claim.addresses), claim.hostId, '\\'].map((word) => Buffer.from(word))
  return ({ key, value }) => key === held?.key || words.some((word) => value.includes(word))
}

/**
 * A listing with our claim in it. Its revision stays: a watch from there reports what others wrote between the two, and
 * our own write once more.
 */
export function afterClaim(listing: Snapshot, own: OwnLease, given: readonly { readonly key: string }[]): Snapshot {
  const gone = new Set([own.key, ...given.map(({ key }) => key)])
  const before = listing.entries.find(({ key }) => key === own.key)
  const entry: StoreEntry = {
    key: own.key,
    value: Buffer.from(encodeValue(own.value)),
    createRevision: before?.createRevision ?? own.modRevision,
    modRevision: own.modRevision,
    lease: own.etcdLease,
  }
  return { ...listing, entries: [...listing.entries.filter(({ key }) => !gone.has(key)), entry] }
}
