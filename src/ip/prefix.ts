// Network prefixes as canonical text ("10.2.3.0/24"): host bits are zero, so === is equality.
import {
  type Address,
  type Family,
  bigintOf,
  familyOf,
  fromBigint,
  fromNumber,
  numberOf,
  parseAddress,
} from './address.ts'

declare const brand: unique symbol

/** A checked prefix in canonical text, host bits zero. */
export type Prefix = string & { readonly [brand]: 'Prefix' }

/** An address with the length of the network it is in: "10.2.3.1/24". */
export interface InterfacePrefix {
  readonly address: Address
  readonly length: number
}

/** `address/length` split and checked, host bits kept; undefined when malformed. */
export function parseInterfacePrefix(text: string): InterfacePrefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = parseAddress(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined
  return Number(length) <= bitsOf(familyOf(address)) ? { address, length: Number(length) } : undefined
}

/** The prefix `text` names; undefined when malformed or when a host bit is set. */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseInterfacePrefix(text)
  if (parsed === undefined) return undefined
  const prefix = prefixOf(parsed.address, parsed.length)
  return addressOf(prefix) === parsed.address ? prefix : undefined
}

/** The prefix of `length` bits that contains `address`. */
export function prefixOf(address: Address, length: number): Prefix {
  if (familyOf(address) === 4) {
    const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
    return `${fromNumber((numberOf(address) & mask) >>> 0)}/${length}` as Prefix
  }
  const host = BigInt(128 - length)
  return `${fromBigint(6, (bigintOf(address) >> host) << host)}/${length}` as Prefix
}

/** The first address of a prefix ("10.2.3.0"). */
export function addressOf(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf('/')) as Address
}

/** The length in bits of a prefix. */
export function lengthOf(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1))
}

/** The family of a prefix. */
export function prefixFamily(prefix: Prefix): Family {
  return prefix.includes(':') ? 6 : 4
}

/** 32 or 128. */
export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128
}

/** The n-th address of a prefix, 0 being the network address. */
export function nth(prefix: Prefix, n: number): Address {
  const base = addressOf(prefix)
  return familyOf(base) === 4 ? fromNumber((numberOf(base) + n) >>> 0) : fromBigint(6, bigintOf(base) + BigInt(n))
}

/** Whether `inner` (an address or a prefix) lies wholly inside `outer`; different families never do. */
export function contains(outer: Prefix, inner: Address | Prefix): boolean {
  if (!outer.includes(':')) return !inner.includes(':') && contains4(outer, inner)
  const slash = inner.indexOf('/')
  const address = (slash < 0 ? inner : inner.slice(0, slash)) as Address
  const family = familyOf(address)
  if (prefixFamily(outer) !== family) return false
  const length = lengthOf(outer)
  const innerLength = slash < 0 ? bitsOf(family) : Number(inner.slice(slash + 1))
  return innerLength >= length && prefixOf(address, length) === outer
}

/** By numbers: this runs several times for every lease. */
function contains4(outer: Prefix, inner: Address | Prefix): boolean {
  const length = lengthOf(outer)
  const slash = inner.indexOf('/')
  if (slash >= 0 && Number(inner.slice(slash + 1)) < length) return false
  return length === 0 || (numberOf(outer) ^ numberOf(inner)) >>> (32 - length) === 0
}

/** Whether two prefixes share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b) || contains(b, a)
}
