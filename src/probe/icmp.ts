// Packets of ICMP echo, by family: written, and read from what a raw socket of that family gives.
import { type Address, type Family, familyOf } from '../ip/address.ts'
import type { EchoRequest, IcmpMessage } from './echo.ts'
import { HEADERS4, readMessage4, writeRequest4 } from './icmp4.ts'
import { HEADERS6, readMessage6, writeRequest6 } from './icmp6.ts'
import { markLength } from './mark.ts'

/** Bytes of the smallest IP packet we send, by family. */
export const SMALLEST: Readonly<Record<Family, number>> = { 4: HEADERS4 + markLength(4), 6: HEADERS6 + markLength(6) }

/** The whole IP packet, in the family of its addresses. */
export function writeRequest(request: EchoRequest): Buffer {
  return familyOf(request.source) === 4 ? writeRequest4(request) : writeRequest6(request)
}

/** Reads what came in from `source`; undefined for what does not concern us. Nothing of `packet` is kept. */
export function readMessage(packet: Buffer, source: Address): IcmpMessage | undefined {
  return familyOf(source) === 4 ? readMessage4(packet) : readMessage6(packet, source)
}
