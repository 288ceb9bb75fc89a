// IP addresses as canonical text ("10.2.3.4", "fc00::1"), so that === is equality and a Map key needs no coding.
// Only parseAddress makes them from text; arithmetic goes through numberOf / bigintOf.
import { isIPv6 } from 'node:net'
import ip6addr from 'ip6addr'

declare const brand: unique symbol

/** 4 or 6. */
export type Family = 4 | 6

/** A checked IP address in canonical text: dotted quad, or RFC 5952 for IPv6. */
export type Address = string & { readonly [brand]: 'Address' }

const QUAD = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/

/** The address `text` names, or undefined. Leading zeros ("010.0.0.1"), zones and IPv4-mapped forms are refused, as in Go. */
export function parseAddress(text: string): Address | undefined {
  const quad = QUAD.exec(text)
  if (quad) return quad.slice(1).every((byte) => Number(byte) <= 255) ? (text as Address) : undefined
  // isIPv6 decides: ip6addr lets "::00001" and a "::" that stands for nothing pass. Its first call takes 2 ms.
  if (!text.includes(':') || text.includes('.') || text.includes('%') || !isIPv6(text)) return undefined
  const parsed = ip6addr.parse(text)
  return parsed.kind() === 'ipv6' ? fromBytes(bytesOf6(parsed)) : undefined
}

/** The family of an address. */
export function familyOf(address: Address): Family {
  return address.includes(':') ? 6 : 4
}

/** An IPv4 address as an unsigned 32-bit number, network order: 10.0.0.1 is 0x0a000001. Of a prefix its first address. */
export function numberOf(address: string): number {
  let value = 0
  let byte = 0
  // Digit by digit: this runs for every address of every peer.
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === 0x2e) {
      value = value * 256 + byte
      byte = 0
    } else if (code === 0x2f) {
      break
    } else {
      byte = byte * 10 + code - 0x30
    }
  }
  return value * 256 + byte
}

/** The IPv4 address of an unsigned 32-bit number. */
export function fromNumber(value: number): Address {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as Address
}

/** An address of either family as an integer. */
export function bigintOf(address: Address): bigint {
  if (familyOf(address) === 4) return BigInt(numberOf(address))
  let value = 0n
  for (const byte of toBytes(address)) value = value * 256n + BigInt(byte)
  return value
}

/** The address of `family` with this integer value. */
export function fromBigint(family: Family, value: bigint): Address {
  if (family === 4) return fromNumber(Number(value))
  const bytes = new Uint8Array(16)
  for (let i = 15, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
  return fromBytes(bytes)
}

/** The 4 or 16 bytes of an address, network order. */
export function toBytes(address: Address): Uint8Array {
  if (familyOf(address) === 4) return Uint8Array.from(address.split('.'), Number)
  return bytesOf6(ip6addr.parse(address))
}

/** The bytes of an IPv6 address; ip6addr's own toBuffer makes Node print a deprecation warning. */
function bytesOf6(parsed: ip6addr.Addr): Uint8Array {
  const groups = parsed.toString({ format: 'v6', zeroElide: false, zeroPad: true }).split(':')
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group.slice(0, 2), 16), Number.parseInt(group.slice(2), 16)]),
  )
}

/** The address of 4 or 16 bytes in network order (anything else is a programming error). */
export function fromBytes(bytes: Uint8Array): Address {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Address
  if (bytes.length !== 16) throw new TypeError(`an address has 4 or 16 bytes, not ${bytes.length}`)
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16))
  const text = groups.join(':')
  // RFC 5952: the first of the longest runs of zero groups becomes "::"; one group alone is no run.
  const [longest] = [...text.matchAll(/\b0(:0)+\b/g)].toSorted((a, b) => b[0].length - a[0].length)
  if (longest === undefined) return text as Address
  const head = text.slice(0, longest.index).replace(/:$/, '')
  const tail = text.slice(longest.index + longest[0].length).replace(/^:/, '')
  return `${head}::${tail}` as Address
}

/** Whether an address may be a host's own: not zero, loopback, link-local IPv6, multicast, broadcast or class E. */
export function isUnicast(address: Address): boolean {
  if (familyOf(address) === 4) {
    const first = numberOf(address) >>> 24
    return first !== 0 && first !== 127 && first < 224
  }
  return address !== '::' && address !== '::1' && !/^(ff[0-9a-f]{2}|fe[89ab][0-9a-f]):/.test(address)
}
