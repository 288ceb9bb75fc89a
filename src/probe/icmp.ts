// ICMP echo and the refusals it may meet, as IPv4 packets (RFC 791, RFC 792), with the mark by which daemons know each
// other's probes. Invariant: whatever comes in is read without throwing; what has a wrong checksum is nothing.
import { type Address, fromBytes, numberOf } from '../ip/address.ts'

/** What our echo requests carry, and so the answers to them. */
export interface Mark {
  /** Random, from each process its own: answers with another one are not to our requests. 32 bits. */
  readonly token: number
  /** First address of the sender's subnet; undefined when it has none. */
  readonly subnet: Address | undefined
  /** Whether the sender gets no answers from the receiver through the tunnel. */
  readonly silent: boolean
  /** When the sender last heard the receiver through the tunnel, seconds ago; Infinity: never, undefined: it does not say. */
  readonly heard: number | undefined
}

/** An echo request to send. */
export interface EchoRequest {
  readonly source: Address
  readonly destination: Address
  /** 16 bits each. */
  readonly id: number
  readonly sequence: number
  /** Length of the IP packet in bytes, at least SMALLEST. */
  readonly length: number
  /** Whether routers must not fragment it. */
  readonly df: boolean
  readonly mark: Mark
}

/** What is read from the raw socket. */
export type IcmpMessage =
  | {
      readonly kind: 'request' | 'reply'
      readonly source: Address
      readonly id: number
      readonly sequence: number
      readonly mark: Mark
    }
  | {
      readonly kind: 'refused'
      /** Who says so: a router, the peer, or our own kernel. */
      readonly source: Address
      readonly why: 'unreachable' | 'too-big' | 'prohibited'
      /** For too-big, the bytes that fit; 0 when it does not say. */
      readonly mtu: number
      /** Of the echo request that was refused. */
      readonly destination: Address
      readonly id: number
      readonly sequence: number
    }

/** First bytes of the mark: "flnp", and the version of what follows. */
export const MAGIC = 0x66_6c_6e_70
const VERSION = 1

const IP_HEADER = 20
const ICMP_HEADER = 8
const MARK = 16
/** Bytes of the smallest packet we send. */
export const SMALLEST = IP_HEADER + ICMP_HEADER + MARK

/** Of the largest: its length has 16 bits (RFC 791). */
export const LARGEST = 65_535

/** As many as the largest packet on an Ethernet with jumbo frames has. */
const ZEROS = Buffer.alloc(9216)

const PROTOCOL_ICMP = 1
const TTL = 64
const DF = 0x4000
const SILENT = 1
/** Tenths of a second that mean "never" and "not said". */
const NEVER = 0xfffe
const NOT_SAID = 0xffff

/** ICMP types (RFC 792). */
export const TYPE = { reply: 0, unreachable: 3, request: 8 } as const

/** A packet for a raw socket with IP_HDRINCL: the kernel fills in the IP checksum and identification (raw(7)). */
export function writeRequest({ source, destination, id, sequence, length, df, mark }: EchoRequest): Buffer {
  const packet = Buffer.alloc(length)
  packet.writeUInt8(0x45, 0)
  packet.writeUInt16BE(length, 2)
  packet.writeUInt16BE(df ? DF : 0, 6)
  packet.writeUInt8(TTL, 8)
  packet.writeUInt8(PROTOCOL_ICMP, 9)
  packet.writeUInt32BE(numberOf(source), 12)
  packet.writeUInt32BE(numberOf(destination), 16)
  const icmp = packet.subarray(IP_HEADER)
  icmp.writeUInt8(TYPE.request, 0)
  icmp.writeUInt16BE(id, 4)
  icmp.writeUInt16BE(sequence, 6)
  writeMark(icmp.subarray(ICMP_HEADER), mark)
  icmp.writeUInt16BE(checksum(icmp), 2)
  return packet
}

/** Reads an IPv4 packet as a raw socket gives it; undefined for what does not concern us. Nothing of `packet` is kept. */
export function readMessage(packet: Buffer): IcmpMessage | undefined {
  const icmp = payloadOf(packet)
  if (icmp === undefined || icmp.length < ICMP_HEADER || checksum(icmp) !== 0) return undefined
  const source = addressAt(packet, 12)
  const type = icmp.readUInt8(0)
  if (type === TYPE.unreachable) return readRefusal(source, icmp)
  if (type !== TYPE.request && type !== TYPE.reply) return undefined
  const mark = readMark(icmp.subarray(ICMP_HEADER))
  if (mark === undefined) return undefined
  const kind = type === TYPE.request ? 'request' : 'reply'
  return { kind, source, id: icmp.readUInt16BE(4), sequence: icmp.readUInt16BE(6), mark }
}

/** A refusal quotes the header of the packet and 8 bytes of what it carried: as much as we need to know it again. */
function readRefusal(source: Address, icmp: Buffer): IcmpMessage | undefined {
  const quoted = icmp.subarray(ICMP_HEADER)
  const echo = payloadOf(quoted, false)
  if (echo === undefined || echo.length < ICMP_HEADER || echo.readUInt8(0) !== TYPE.request) return undefined
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

function writeMark(into: Buffer, { token, subnet, silent, heard }: Mark): void {
  into.writeUInt32BE(MAGIC, 0)
  into.writeUInt8(VERSION, 4)
  into.writeUInt8(silent ? SILENT : 0, 5)
  const tenths = heard === undefined ? NOT_SAID : Math.min(NEVER, Math.floor(heard * 10))
  into.writeUInt16BE(tenths, 6)
  into.writeUInt32BE(subnet === undefined ? 0 : numberOf(subnet), 8)
  into.writeUInt32BE(token, 12)
}

function readMark(from: Buffer): Mark | undefined {
  if (from.length < MARK || from.readUInt32BE(0) !== MAGIC || from.readUInt8(4) !== VERSION) return undefined
  const tenths = from.readUInt16BE(6)
  return {
    token: from.readUInt32BE(12),
    subnet: from.readUInt32BE(8) === 0 ? undefined : addressAt(from, 8),
    silent: (from.readUInt8(5) & SILENT) !== 0,
    heard: tenths === NOT_SAID ? undefined : tenths === NEVER ? Infinity : tenths / 10,
  }
}

function addressAt(bytes: Buffer, at: number): Address {
  return fromBytes(bytes.subarray(at, at + 4))
}

/**
 * The Internet checksum (RFC 1071): 0 over something that holds a right one. Behind the mark our packets are zeros, which add
 * nothing: a comparison is quicker than a sum.
 */
function checksum(bytes: Buffer): number {
  const filling = bytes.subarray(ICMP_HEADER + MARK)
  const empty = filling.length <= ZEROS.length && filling.equals(ZEROS.subarray(0, filling.length))
  const end = empty ? bytes.length - filling.length : bytes.length
  let sum = 0
  for (let at = 0; at + 1 < end; at += 2) sum += bytes.readUInt16BE(at)
  if (end % 2 === 1) sum += bytes.readUInt8(end - 1) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
