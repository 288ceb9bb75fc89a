// What the kernel lets through to the raw socket, as classic BPF: a host that is flooded with pings, or pings much itself,
// costs the daemon nothing. Pure.
import type { Family } from '../ip/address.ts'
import { HEADERS4, TYPE4 } from './icmp4.ts'
import { HEADERS6, TYPE6 } from './icmp6.ts'
import { MAGIC } from './mark.ts'

/** Instructions used (linux/filter.h, linux/bpf_common.h); loads are from X on. */
const LDX_HEADER = 0xb1
const LDX_NUMBER = 0x01
const LD_BYTE = 0x50
const LD_HALF = 0x48
const LD_WORD = 0x40
const JEQ = 0x15
const RET = 0x06

/** An instruction of struct sock_filter. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number]

/** What differs between the families. */
interface Format {
  /** X becomes where ICMP begins: behind an IPv4 header of any length; a raw socket of IPv6 gets no IP header. */
  readonly start: Instruction
  /** Where a refusal quotes the id of an echo request: behind its own header and the quoted packet's. */
  readonly quotedId: number
  readonly refusals: readonly [number, number]
  readonly reply: number
  readonly request: number
}

const FORMATS: Readonly<Record<Family, Format>> = {
  4: {
    start: [LDX_HEADER, 0, 0, 0],
    quotedId: HEADERS4 + 4,
    refusals: [TYPE4.unreachable, TYPE4.unreachable],
    reply: TYPE4.reply,
    request: TYPE4.request,
  },
  6: {
    start: [LDX_NUMBER, 0, 0, 0],
    quotedId: HEADERS6 + 4,
    refusals: [TYPE6.unreachable, TYPE6.tooBig],
    reply: TYPE6.reply,
    request: TYPE6.request,
  },
}

/**
 * Refusals of and answers to echo requests of `id`, and requests with our mark; struct sock_filter one after the other. A
 * load beyond the packet ends the program with 0, which drops it.
 */
export function echoFilter(family: Family, id: number): Uint8Array {
  const { start, quotedId, refusals, reply, request } = FORMATS[family]
  const program: readonly Instruction[] = [
    start,
    [LD_BYTE, 0, 0, 0],
    [JEQ, 5, 0, refusals[0]],
    [JEQ, 4, 0, refusals[1]],
    [JEQ, 5, 0, reply],
    [JEQ, 0, 7, request],
    [LD_WORD, 0, 0, 8],
    [JEQ, 4, 5, MAGIC],
    [LD_HALF, 0, 0, quotedId],
    [JEQ, 2, 3, id],
    [LD_HALF, 0, 0, 4],
    [JEQ, 0, 1, id],
    [RET, 0, 0, 0xffff_ffff],
    [RET, 0, 0, 0],
  ]
  const bytes = new DataView(new ArrayBuffer(program.length * 8))
  for (const [at, [code, jt, jf, k]] of program.entries()) {
    bytes.setUint16(at * 8, code, true)
    bytes.setUint8(at * 8 + 2, jt)
    bytes.setUint8(at * 8 + 3, jf)
    bytes.setUint32(at * 8 + 4, k, true)
  }
  return new Uint8Array(bytes.buffer)
}
