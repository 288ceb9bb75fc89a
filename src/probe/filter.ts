// What the kernel lets through to the raw socket, as classic BPF: a host that is flooded with pings, or pings much itself,
// costs the daemon nothing. Pure.
import { MAGIC, TYPE } from './icmp.ts'

/** Instructions used (linux/filter.h, linux/bpf_common.h): X becomes the length of the IP header, loads are from X on. */
const LDX_HEADER = 0xb1
const LD_BYTE = 0x50
const LD_HALF = 0x48
const LD_WORD = 0x40
const JEQ = 0x15
const RET = 0x06

/** Where a refusal quotes the id of an echo request: behind its own header and the quoted packet's. */
const QUOTED_ID = 8 + 20 + 4

/**
 * Refusals of and answers to echo requests of `id`, and requests with our mark; struct sock_filter one after the other. A
 * load beyond the packet ends the program with 0, which drops it.
 */
export function echoFilter(id: number): Uint8Array {
  const program: readonly (readonly [code: number, jt: number, jf: number, k: number])[] = [
    [LDX_HEADER, 0, 0, 0],
    [LD_BYTE, 0, 0, 0],
    [JEQ, 0, 2, TYPE.unreachable],
    [LD_HALF, 0, 0, QUOTED_ID],
    [JEQ, 6, 7, id],
    [JEQ, 0, 2, TYPE.reply],
    [LD_HALF, 0, 0, 4],
    [JEQ, 3, 4, id],
    [JEQ, 0, 3, TYPE.request],
    [LD_WORD, 0, 0, 8],
    [JEQ, 0, 1, MAGIC],
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
