// Keys and values of leases as Go's flanneld writes and reads them (pkg/subnet/subnet.go, pkg/lease/lease.go).
// Invariant: decoding is total, whatever is in etcd, even where this code is wrong; what we encode decodes to the same.
import type { Checked, Refused } from '../backend.ts'
import { messageOf, show } from '../errors.ts'
import { MOST_VALUE_BYTES, droppedBytes } from '../etcd/oversized.ts'
import { type Address, type Family, familyOf, parseAddress } from '../ip/address.ts'
import { familiesOf, inFamily, mapFamilies, onlySubnet, some, valuesOf } from '../ip/by-family.ts'
import { addressOf, lengthOf, parsePrefix, type Prefix, prefixFamily } from '../ip/prefix.ts'
import type { LeaseValue, Subnets } from './lease.ts'

/** Where the leases of a network lie: `<prefix>/subnets/`. */
export function subnetsFolder(prefix: string): string {
  return `${prefix.replace(/\/+$/, '')}/subnets/`
}

/**
 * The etcd key of a lease: `<prefix>/subnets/10.5.52.0-24`, dual stack `.../10.5.52.0-24&fc00::-64`, IPv6 alone `.../fc00::-64`.
 * Go's flanneld passes over the last one, as over every key without an IPv4 subnet. What it writes itself without IPv4,
 * `0.0.0.0-0&fc00::-64`, is a route for everything to its own kind, and refused here.
 */
export function encodeKey(prefix: string, subnets: Subnets): string {
  return subnetsFolder(prefix) + valuesOf(subnets).map(dashed).join('&')
}

/**
 * A reading of what others wrote that throws nothing: where our own code does, because of this one entry, the entry is refused
 * with 'bug', and all others go on.
 */
export function readSafely<T>(read: () => Checked<T>): Checked<T> {
  try {
    return read()
  } catch (error) {
    return { ok: false, reason: 'bug', detail: `please report it: ${messageOf(error)}` }
  }
}

/** The subnets an etcd key names. Refused with 'key' for anything but what encodeKey makes. */
export function decodeKey(prefix: string, key: string): Checked<Subnets> {
  return readSafely(() => readKey(prefix, key))
}

function readKey(prefix: string, key: string): Checked<Subnets> {
  const folder = subnetsFolder(prefix)
  if (!key.startsWith(folder)) return refuse('key', key)
  const [first = '', second, ...more] = key.slice(folder.length).split('&')
  const subnet = undashed(first)
  if (subnet === undefined || lengthOf(subnet) === 0 || more.length > 0) return refuse('key', key)
  if (second === undefined) return { ok: true, value: onlySubnet(subnet) }
  const ipv6 = undashed(second)
  if (prefixFamily(subnet) !== 4 || ipv6 === undefined || prefixFamily(ipv6) !== 6 || lengthOf(ipv6) === 0)
    return refuse('key', key)
  return { ok: true, value: { ipv4: subnet, ipv6 } }
}

/** The JSON text of a lease, keys in Go's order; HostID, SourceIP and SourceIPv6, which Go ignores, come last. */
export function encodeValue(value: LeaseValue): string {
  return JSON.stringify({
    PublicIP: value.addresses.ipv4,
    PublicIPv6: value.addresses.ipv6 ?? null,
    BackendType: value.backendType,
    BackendData: value.backendData.ipv4,
    BackendV6Data: value.backendData.ipv6,
    HostID: value.hostId,
    SourceIP: value.sourceAddresses.ipv4,
    SourceIPv6: value.sourceAddresses.ipv6,
  })
}

/** What a reservation says before its host has taken it: Go's LeaseAttrs with nothing in it but whose it is. */
export function encodeReservation(address: Address): string {
  return JSON.stringify(familyOf(address) === 4 ? { PublicIP: address, PublicIPv6: null } : { PublicIPv6: address })
}

/**
 * The value of a lease. `unnamed` is the type of leases that name none; without one they are refused with 'backend-type'. Others are
 * refused with 'oversized', 'json' or 'public-ip'.
 */
export function decodeValue(value: Buffer, unnamed?: string): Checked<LeaseValue> {
  const read = decodeClaim(value)
  if (!read.ok || read.value.backendType !== '') return read
  if (unnamed === undefined) return refuse('backend-type', undefined)
  return { ok: true, value: { ...read.value, backendType: unnamed } }
}

/** The holder of a lease. Like decodeValue, but accepts a missing BackendType as "": a reservation that no host has taken yet. */
export function decodeClaim(value: Buffer): Checked<LeaseValue> {
  return readSafely(() => readClaim(value))
}

function readClaim(value: Buffer): Checked<LeaseValue> {
  const bytes = droppedBytes(value) ?? value.length
  if (bytes > MOST_VALUE_BYTES) return refuse('oversized', `${bytes} bytes`)
  const text = value.toString()
  const fields = parseFields(text)
  if (fields === undefined) return refuse('json', text)
  const given = { ipv4: fields.get('publicip'), ipv6: fields.get('publicipv6') }
  const read = mapFamilies(given, addressIn)
  const addresses = some(read)
  if (addresses === undefined) return refuse('public-ip', given.ipv4 ?? given.ipv6)
  for (const family of familiesOf(given))
    if (inFamily(read, family) === undefined) return refuse('public-ip', inFamily(given, family))
  const backendType = fields.get('backendtype') ?? ''
  if (typeof backendType !== 'string') return refuse('backend-type', backendType)
  const hostId = fields.get('hostid')
  return {
    ok: true,
    value: {
      addresses,
      backendType,
      backendData: { ipv4: fields.get('backenddata'), ipv6: fields.get('backendv6data') },
      hostId: typeof hostId === 'string' && hostId !== '' ? hostId : undefined,
      sourceAddresses: mapFamilies({ ipv4: fields.get('sourceip'), ipv6: fields.get('sourceipv6') }, addressIn),
    },
  }
}

/** The fields of a JSON object by lower-case name, null left out: Go matches names in any case, the last one wins. */
function parseFields(text: string): ReadonlyMap<string, unknown> | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const fields = new Map<string, unknown>()
  // A null leaves a Go field as it was.
  for (const [name, value] of Object.entries(json)) if (value !== null) fields.set(name.toLowerCase(), value)
  return fields
}

function addressIn(value: unknown, family: Family): Address | undefined {
  const address = typeof value === 'string' ? parseAddress(value) : undefined
  return address !== undefined && familyOf(address) === family ? address : undefined
}

function dashed(subnet: Prefix): string {
  return `${addressOf(subnet)}-${lengthOf(subnet)}`
}

function undashed(text: string): Prefix | undefined {
  const dash = text.lastIndexOf('-')
  const subnet = dash < 0 ? undefined : parsePrefix(`${text.slice(0, dash)}/${text.slice(dash + 1)}`)
  // One spelling only, or one subnet could be leased under two keys.
  return subnet !== undefined && dashed(subnet) === text ? subnet : undefined
}

function refuse(reason: string, detail: unknown): Refused {
  return { ok: false, reason, detail: show(detail) }
}
