// ICMP echo and its refusals as IPv4 packets (RFC 791, RFC 792).
// Invariant: whatever comes in is read without throwing; what has a wrong checksum is nothing.
import { type Address, fromBytes, numberOf } from '../ip/address.ts'
import { checksum } from './checksum.ts'
import type { EchoRequest, IcmpMessage } from './echo.ts'
import { writeMark } from './mark.ts'
import { ICMP_HEADER, readEcho } from './read-echo.ts'

/** Lengths of the headers, without IP options. */
const IP_HEADER = 20
export const HEADERS4 = IP_HEADER + ICMP_HEADER

const PROTOCOL_ICMP = 1
const TTL = 64
const DF = 0x4000

/** ICMP types (RFC 792). */
export const TYPE4 = { reply: 0, unreachable: 3, request: 8 } as const

/** A whole packet. A raw socket with IP_HDRINCL fills in the IP checksum again, and the identification (raw(7)). */
export function writeRequest4({ source, destination, id, sequence, length, df, mark }: EchoRequest): Buffer {
  const packet = Buffer.alloc(length)
  packet.writeUInt8(0x45, 0)
  packet.writeUInt16BE(length, 2)
  packet.writeUInt16BE(df ? DF : 0, 6)
  packet.writeUInt8(TTL, 8)
  packet.writeUInt8(PROTOCOL_ICMP, 9)
  packet.writeUInt32BE(numberOf(source), 12)
  packet.writeUInt32BE(numberOf(destination), 16)
  packet.writeUInt16BE(checksum(packet.subarray(0, IP_HEADER)), 10)
  const icmp = packet.subarray(IP_HEADER)
  icmp.writeUInt8(TYPE4.request, 0)
  icmp.writeUInt16BE(id, 4)
  icmp.writeUInt16BE(sequence, 6)
  writeMark(icmp.subarray(ICMP_HEADER), 4, mark)
  icmp.writeUInt16BE(checksum(icmp), 2)
  return packet
}

/** Reads a packet as a raw socket gives it, with its IP header; undefined for what does not concern us. Nothing of `packet` is kept. */
export function readMessage4(packet: Buffer): IcmpMessage | undefined {
  const icmp = payloadOf(packet)
  if (icmp === undefined || icmp.length < ICMP_HEADER || checksum(icmp) !== 0) return undefined
  const source = addressAt(packet, 12)
  const type = icmp.readUInt8(0)
  if (type === TYPE4.unreachable) return readRefusal(source, icmp)
  return readEcho(icmp, source, 4, TYPE4)
}

/** A refusal quotes the header of the packet and 8 bytes of what it carried: as much as we need to know it again. */
function readRefusal(source: Address, icmp: Buffer): IcmpMessage | undefined {
  const quoted = icmp.subarray(ICMP_HEADER)
  const echo = payloadOf(quoted, false)
  if (echo === undefined || echo.length < ICMP_HEADER || echo.readUInt8(0) !== TYPE4.request) return undefined
  const why = reasonOf(icmp.readUInt8(1))
  if (why === undefined) return undefined
  return {
    kind: 'refused',
    source,
    why,
    mtu: why === 'too-big' ? icmp.readUInt16BE(6) : 0,
    destination: addressAt(quoted, 16),
    id: echo.readUInt16BE(4),
    sequence: echo.readUInt16BE(6),
  }
}

/** Codes of "destination unreachable": RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1. */
function reasonOf(code: number): 'unreachable' | 'too-big' | 'prohibited' | undefined {
  if ([0, 1, 5, 6, 7, 8, 11, 12].includes(code)) return 'unreachable'
  if (code === 4) return 'too-big'
  return [9, 10, 13].includes(code) ? 'prohibited' : undefined
}

/** What an IPv4 packet of ICMP carries; a quoted one is cut short. */
function payloadOf(packet: Buffer, complete = true): Buffer | undefined {
  if (packet.length < IP_HEADER) return undefined
  const first = packet.readUInt8(0)
  const header = (first & 15) * 4
  if (first >> 4 !== 4 || header < IP_HEADER || packet.readUInt8(9) !== PROTOCOL_ICMP) return undefined
  const length = packet.readUInt16BE(2)
  if (length < header || (complete && length > packet.length)) return undefined
  return packet.subarray(header, complete ? length : packet.length)
}

function addressAt(bytes: Buffer, at: number): Address {
  return fromBytes(bytes.subarray(at, at + 4))
}
