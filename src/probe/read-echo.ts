// An echo request or reply, from the ICMP header on: the same in both families but for the numbers of the types (RFC 792, RFC 4443).
import type { Address, Family } from '../ip/address.ts'
import type { IcmpMessage } from './echo.ts'
import { readMark } from './mark.ts'

/** Length of the header: type, code, checksum, id, sequence. */
export const ICMP_HEADER = 8

/** The message, if it is an echo with a mark of ours; `icmp` holds a header at least. Nothing of it is kept. */
export function readEcho(
  icmp: Buffer,
  source: Address,
  family: Family,
  { request, reply }: { readonly request: number; readonly reply: number },
): IcmpMessage | undefined {
  const type = icmp.readUInt8(0)
  if (type !== request && type !== reply) return undefined
  const mark = readMark(icmp.subarray(ICMP_HEADER), family)
  if (mark === undefined) return undefined
  const kind = type === request ? 'request' : 'reply'
  return { kind, source, id: icmp.readUInt16BE(4), sequence: icmp.readUInt16BE(6), mark }
}
