// One lease as a peer, or why it is none: every rule that one lease alone can break. Pure and total.
import { equal } from '../equal.ts'
import type { Checked, Peer, Refused } from '../backend.ts'
import type { StoreEntry } from '../etcd/store.ts'
import { type Address, type Family, isUnicast, familyOf } from '../ip/address.ts'
import { addressOf, contains, lengthOf, nth, overlaps, type Prefix, bitsOf } from '../ip/prefix.ts'
import { decodeClaim, decodeKey, decodeValue, readSafely } from './codec.ts'
import { inFamily, valuesOf } from '../ip/by-family.ts'

/** What a lease is held against. */
export interface PeerRules {
  /** The family that peers are wanted in: a lease's subnet, addresses and data of the other family do not matter. */
  readonly family: Family
  readonly network: Prefix
  /** Length of every host's subnet, in bits. */
  readonly subnetLen: number
  /** Our own lease; undefined before we have one. Its subnet in this family, where it has one. */
  readonly own: { readonly key: string; readonly subnet: Prefix | undefined } | undefined
  readonly publicAddress: Address
  readonly hostId: string
  /** Prefixes of the external interface: their broadcast addresses are no host's. */
  readonly onlink: readonly Prefix[]
  /** The `BackendType` of leases that name none; undefined: they are refused. */
  readonly unnamed?: string | undefined
  /** The backend's part, by `BackendType`; refuses unknown types with 'backend-type'. */
  readonly parseData: (type: string, data: unknown) => Checked<unknown>
  /** What carries packets to a peer, or why nothing can (host-gw across a router, say). */
  readonly needs: (peer: Peer) => Checked<unknown>
  /** Whether the operator has shut an address out; absent: none is. */
  readonly shutOut?: (address: Address) => boolean
  /** What no two hosts may share, as Backend.exclusive says; depends on nothing but its arguments. */
  readonly exclusive: (type: string, data: unknown) => string | undefined
  /** Whether the host of a lease renews it, by key, as far as is known; all do when absent. */
  readonly alive?: (key: string) => boolean
  /**
   * Of a lease that is rewritten to claim something else, the claim is as old as that, not as its key. That depends on what
   * was seen before; without it the outcome depends on the leases there are alone.
   */
  readonly remembersClaims?: boolean
}

/** Reasons that are no fault: a reservation whose host has not come yet, our own lease on another subnet, a host without this family. */
export const FAULTLESS: ReadonlySet<string> = new Set(['reserved', 'our-move', 'family'])

/** A lease as a peer, or why it is none. What other leases there are does not matter here. */
export function readPeer(prefix: string, entry: StoreEntry, rules: PeerRules): Checked<Peer> {
  return readSafely(() => checkPeer(prefix, entry, rules))
}

function checkPeer(prefix: string, entry: StoreEntry, rules: PeerRules): Checked<Peer> {
  const key = decodeKey(prefix, entry.key)
  if (!key.ok) return key
  const subnet = inFamily(key.value, rules.family)
  if (subnet === undefined) return refuse('family', `no IPv${rules.family} subnet`)
  const misplaced = refuseSubnet(subnet, rules)
  if (misplaced !== undefined) return misplaced
  const awaited = isAwaited(entry)
  const value = decodeValue(entry.value, awaited ? undefined : rules.unnamed)
  if (!value.ok) return awaited ? refuse('reserved', `${subnet} awaits its host`) : value
  const { backendType, hostId } = value.value
  const publicAddress = inFamily(value.value.addresses, rules.family)
  if (publicAddress === undefined) return refuse('public-ip', 'none of this family')
  const shut = valuesOf(value.value.addresses).find((address) => rules.shutOut?.(address) === true)
  const foreign = refuseHost(publicAddress, shut, hostId, subnet, rules)
  if (foreign !== undefined) return foreign
  const data = rules.parseData(backendType, inFamily(value.value.backendData, rules.family))
  if (!data.ok) return data
  const source = sourceOf(inFamily(value.value.sourceAddresses, rules.family), rules)
  const peer = { subnet, publicAddress, ...source, type: backendType, data: data.value }
  const needs = rules.needs(peer)
  // What the table does with it later must not throw either.
  rules.exclusive(backendType, data.value)
  samePeer(peer, peer)
  return needs.ok ? { ok: true, value: peer } : needs
}

/** What is wrong with where a subnet lies. */
function refuseSubnet(subnet: Prefix, { network, own, subnetLen }: PeerRules): Refused | undefined {
  if (!contains(network, subnet)) return refuse('outside-network', `${subnet} is not in ${network}`)
  if (own?.subnet !== undefined && overlaps(own.subnet, subnet)) return refuse('own-subnet', subnet)
  return lengthOf(subnet) === subnetLen ? undefined : refuse('subnet-length', `${subnet} is no /${subnetLen}`)
}

/** Why the host of a lease is no peer. */
function refuseHost(
  publicAddress: Address,
  shut: Address | undefined,
  hostId: string | undefined,
  subnet: Prefix,
  rules: PeerRules,
): Refused | undefined {
  const ours = publicAddress === rules.publicAddress
  // Our own write may be read before its answer has come, and an old lease of ours stays for a while when we move.
  if (ours && hostId === rules.hostId) return refuse('our-move', subnet)
  // Whichever of its addresses it is: the host is to be out.
  if (shut !== undefined) return refuse('shut-out', shut)
  if (ours) return refuse('public-ip-ours', publicAddress)
  return mayBeHost(publicAddress, rules) ? undefined : refuse('public-ip', publicAddress)
}

/** Whether an entry is a reservation whose host has not been there yet: it says for whom it is, and nothing else. */
export function isAwaited({ lease, value }: Pick<StoreEntry, 'lease' | 'value'>): boolean {
  if (lease !== '0') return false
  const read = decodeClaim(value)
  return read.ok && read.value.backendType === '' && valuesOf(read.value.backendData).length === 0
}

/** Whether two peers need the same of us. */
export function samePeer(a: Peer, b: Peer): boolean {
  const sameHost = a.publicAddress === b.publicAddress && a.sourceAddress === b.sourceAddress
  const sameOther = a.also === b.also && a.otherAddress === b.otherAddress
  return sameHost && sameOther && a.type === b.type && equal(a.data, b.data)
}

/** An address that peers' packets may come from, held against the same rules as a public one; another is none. */
function sourceOf(source: Address | undefined, rules: PeerRules): Pick<Peer, 'sourceAddress'> {
  const good = source !== undefined && source !== rules.publicAddress && mayBeHost(source, rules)
  return good && rules.shutOut?.(source) !== true ? { sourceAddress: source } : {}
}

/** Whether outer packets may be sent to an address; one inside the overlay would lead them in a circle. */
function mayBeHost(address: Address, { network, onlink }: PeerRules): boolean {
  if (!isUnicast(address) || contains(network, address)) return false
  return !onlink.some((prefix) => contains(prefix, address) && isEdge(prefix, address))
}

/** Whether an address is the network or broadcast address of an IPv4 prefix; /31 and /32 have none (RFC 3021). */
function isEdge(prefix: Prefix, address: Address): boolean {
  const length = lengthOf(prefix)
  if (bitsOf(familyOf(address)) !== 32 || length > 30) return false
  return address === addressOf(prefix) || address === nth(prefix, 2 ** (32 - length) - 1)
}

function refuse(reason: string, detail: string): Refused {
  return { ok: false, reason, detail }
}
