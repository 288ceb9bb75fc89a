// Shutting one host out: a key under `<prefix>/shut-out/` names its public address, and no daemon of ours believes a lease
// of that address while the key is there. Go's flanneld ignores it, so the leases are deleted as well.
// Invariant: the key comes first, whatever becomes of the leases; a lease is deleted at the revision it was read at alone.
import { OperatorError } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { type Address, isUnicast, parseAddress } from '../ip/address.ts'
import { type Prefix, parsePrefix, prefixFamily } from '../ip/prefix.ts'
import type { ListedLease } from './found.ts'
import { findLeases } from './claim.ts'
import { hasAddress } from './lease.ts'
import { valuesOf, inFamily } from '../ip/by-family.ts'

/** What came of shutting an address out. */
export interface ShutOut {
  readonly address: Address
  /** Subnets whose leases were deleted. */
  readonly deleted: readonly Prefix[]
  /** Those that were written again as fast as they were deleted. */
  readonly left: readonly Prefix[]
  /** Whether it was shut out before. */
  readonly already: boolean
}

/** What came of letting it in again. */
export interface Readmitted {
  readonly address: Address
}

/** A transaction has some more operations at most. */
const PORTION = 50
/** A host may write its lease again as it is deleted. */
const ATTEMPTS = 5

/** Where the keys lie. */
export function shutOutFolder(prefix: string): string {
  return `${prefix.replace(/\/+$/, '')}/shut-out/`
}

/** The address that a key names; undefined for a key that is none of these. */
export function addressShutOut(prefix: string, key: string): Address | undefined {
  const folder = shutOutFolder(prefix)
  if (!key.startsWith(folder)) return undefined
  const text = key.slice(folder.length)
  const address = parseAddress(text)
  // One spelling only, so that a key can be found again.
  return address === text ? address : undefined
}

/**
 * Shuts out an address, or the one that has a subnet: by its lease, or where that is already gone by `peerAt`, which returns
 * the address of a peer that is kept without a lease. Throws OperatorError.
 */
export async function shutOut(
  store: Store,
  prefix: string,
  target: string,
  peerAt: (subnet: Prefix) => Address | undefined,
): Promise<ShutOut> {
  const leases = async (): Promise<readonly ListedLease[]> =>
    findLeases(prefix, (await store.range(`${prefix}/subnets/`)).entries)
  const address = addressOf(target, await leases(), peerAt)
  const key = `${shutOutFolder(prefix)}${address}`
  const { entry } = await store.get(key)
  if (entry === undefined) {
    const value = JSON.stringify({ Since: new Date().toISOString() })
    await store.commit([{ key, modRevision: '0' }], [{ type: 'put', key, value, lease: '0' }])
  }
  const deleted = new Set<Prefix>()
  let left: readonly ListedLease[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    left = (await leases()).filter(({ value }) => value !== undefined && hasAddress(value, address))
    if (left.length === 0) break
    for (let at = 0; at < left.length; at += PORTION) {
      const portion = left.slice(at, at + PORTION)
      const deletions = portion.map((lease) => ({ type: 'delete', key: lease.key }) as const)
      const done = await store.commit(portion, deletions)
      for (const { subnets } of done === undefined ? [] : portion) for (const it of valuesOf(subnets)) deleted.add(it)
    }
  }
  return {
    address,
    deleted: [...deleted],
    left: left.flatMap(({ subnets }) => valuesOf(subnets)),
    already: entry !== undefined,
  }
}

/** Lets an address in again: its host is a peer as soon as it has a lease. Throws OperatorError. */
export async function readmit(store: Store, prefix: string, target: string): Promise<Readmitted> {
  const address = hostAddress('readmit', target)
  const key = `${shutOutFolder(prefix)}${address}`
  const { entry } = await store.get(key)
  if (entry === undefined) throw new OperatorError(`readmit: ${address}: is not shut out`)
  const done = await store.commit([{ key, modRevision: entry.modRevision }], [{ type: 'delete', key }])
  if (done === undefined) throw new OperatorError(`readmit: ${address}: another program has just changed it: try again`)
  return { address }
}

function addressOf(
  target: string,
  leases: readonly ListedLease[],
  peerAt: (subnet: Prefix) => Address | undefined,
): Address {
  const subnet = parsePrefix(target)
  if (subnet === undefined) return hostAddress('shut-out', target)
  const found = leases.find((lease) => valuesOf(lease.subnets).includes(subnet) && lease.value !== undefined)
  const address = found?.value === undefined ? peerAt(subnet) : inFamily(found.value.addresses, prefixFamily(subnet))
  if (address !== undefined) return address
  throw new OperatorError(`shut-out: ${subnet}: no host has it: name the public address instead`)
}

function hostAddress(verb: string, target: string): Address {
  const address = parseAddress(target)
  if (address !== undefined && isUnicast(address)) return address
  throw new OperatorError(`${verb}: ${target}: must be a host's public address, such as 192.168.19.200, or its subnet`)
}
