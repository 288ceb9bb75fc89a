// ICMPv6 echo and its refusals (RFC 8200, RFC 4443). A raw socket sends whole packets and receives them without the IP header.
// Invariant: whatever comes in is read without throwing. The kernel checks checksums here, and drops what has a wrong one.
import { type Address, fromBytes, toBytes } from '../ip/address.ts'
import { checksum, sumOf } from './checksum.ts'
import type { EchoRequest, IcmpMessage } from './echo.ts'
import { writeMark } from './mark.ts'
import { ICMP_HEADER, readEcho } from './read-echo.ts'

/** Lengths of the headers, without extensions. */
const IP_HEADER = 40
export const HEADERS6 = IP_HEADER + ICMP_HEADER

/** IPv6's number in the next header. */
const PROTOCOL_ICMP = 58
const HOP_LIMIT = 64
/** Where addresses are in the header. */
const SOURCE = 8
const DESTINATION = 24

/** ICMPv6 types (RFC 4443). */
export const TYPE6 = { unreachable: 1, tooBig: 2, request: 128, reply: 129 } as const

/** A packet for a raw socket with IPV6_HDRINCL, which fills in nothing. */
export function writeRequest6({ source, destination, id, sequence, length, mark }: EchoRequest): Buffer {
  const packet = Buffer.alloc(length)
  packet.writeUInt8(0x60, 0)
  packet.writeUInt16BE(length - IP_HEADER, 4)
  packet.writeUInt8(PROTOCOL_ICMP, 6)
  packet.writeUInt8(HOP_LIMIT, 7)
  packet.set(toBytes(source), SOURCE)
  packet.set(toBytes(destination), DESTINATION)
  const icmp = packet.subarray(IP_HEADER)
  icmp.writeUInt8(TYPE6.request, 0)
  icmp.writeUInt16BE(id, 4)
  icmp.writeUInt16BE(sequence, 6)
  writeMark(icmp.subarray(ICMP_HEADER), 6, mark)
  // The sum includes a header of its own: both addresses, length and protocol (RFC 8200, section 8.1).
  const outside = sumOf(packet.subarray(SOURCE, IP_HEADER)) + (length - IP_HEADER) + PROTOCOL_ICMP
  icmp.writeUInt16BE(checksum(icmp, outside), 2)
  return packet
}

/** Reads what a raw socket gives, from the ICMP header on; undefined for what does not concern us. Nothing of `icmp` is kept. */
export function readMessage6(icmp: Buffer, source: Address): IcmpMessage | undefined {
  if (icmp.length < ICMP_HEADER) return undefined
  const type = icmp.readUInt8(0)
  if (type === TYPE6.unreachable || type === TYPE6.tooBig) return readRefusal(source, icmp)
  return readEcho(icmp, source, 6, TYPE6)
}

/** A refusal quotes as much of the packet as fits: ours have no extension headers. */
function readRefusal(source: Address, icmp: Buffer): IcmpMessage | undefined {
  const quoted = icmp.subarray(ICMP_HEADER)
  if (quoted.length < HEADERS6 || quoted.readUInt8(0) >> 4 !== 6) return undefined
  const echo = quoted.subarray(IP_HEADER)
  if (quoted.readUInt8(6) !== PROTOCOL_ICMP || echo.readUInt8(0) !== TYPE6.request) return undefined
  const why = icmp.readUInt8(0) === TYPE6.tooBig ? 'too-big' : reasonOf(icmp.readUInt8(1))
  if (why === undefined) return undefined
  return {
    kind: 'refused',
    source,
    why,
    mtu: why === 'too-big' ? icmp.readUInt32BE(4) : 0,
    destination: fromBytes(quoted.subarray(DESTINATION, IP_HEADER)),
    id: echo.readUInt16BE(4),
    sequence: echo.readUInt16BE(6),
  }
}

/** Codes of "destination unreachable" (RFC 4443, section 3.1); an echo has no port. */
function reasonOf(code: number): 'unreachable' | 'prohibited' | undefined {
  if ([0, 2, 3, 6].includes(code)) return 'unreachable'
  return [1, 5].includes(code) ? 'prohibited' : undefined
}
