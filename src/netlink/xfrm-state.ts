// IPsec security associations over NETLINK_XFRM (ip-xfrm(8), linux/xfrm.h): XFRM_MSG_*SA with xfrm_usersa_info { selector 56 bytes, id { to
// 16, spi be32, protocol u8, pad 3 }, from 16, limits 8 u64, current { bytes u64, packets u64, added u64, .. } at 160, .. reqid u32 at 208,
// family u16, mode u8 .. }, 224 bytes. charon makes them; here they are read, and those that nobody knows any more deleted.
import { type Address, fromBytes, toBytes } from '../ip/address.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode } from './message.ts'

const INFO = 224
const ID = 24

/** One direction of a tunnel. */
export interface SecurityAssociation {
  readonly from: Address
  readonly to: Address
  /** Security parameters index: with `to`, what names it. */
  readonly spi: number
  readonly reqid: number
  /** When it was made: seconds since 1970. */
  readonly since: number
  /** What went through it. */
  readonly packets: number
}

/** Asks for all associations: for a dump. */
export const askAssociations: Encode = (message) => {
  message.header(nl.XFRM_MSG_GETSA, 0, ID)
}

/** Reads one; undefined for one that is no tunnel by ESP, or has no key yet. */
export function readAssociation(message: Message): SecurityAssociation | undefined {
  const bytes = message.fixed(0, INFO)
  const size = message.u16(212) === nl.AF_INET ? 4 : message.u16(212) === nl.AF_INET6 ? 16 : 0
  const tunnel = message.u8(76) === nl.IPPROTO_ESP && message.u8(214) === nl.XFRM_MODE_TUNNEL
  if (bytes.length < INFO || size === 0 || !tunnel) return undefined
  const attributes = message.parse(INFO)
  if (!attributes.has(nl.XFRMA_ALG_CRYPT) && !attributes.has(nl.XFRMA_ALG_AEAD)) return undefined
  return {
    from: fromBytes(bytes.subarray(80, 80 + size)),
    to: fromBytes(bytes.subarray(56, 56 + size)),
    spi: new DataView(bytes.buffer, bytes.byteOffset).getUint32(72, false),
    reqid: message.u32(208),
    since: message.u32(176) + message.u32(180) * 2 ** 32,
    packets: message.u32(168) + message.u32(172) * 2 ** 32,
  }
}

/** Deletes an association. */
export function deleteAssociation({ to, spi }: Pick<SecurityAssociation, 'to' | 'spi'>): Encode {
  return (message) => {
    const address = toBytes(to)
    const number = Buffer.alloc(4)
    number.writeUInt32BE(spi)
    message.header(nl.XFRM_MSG_DELSA, 0, ID)
    message.setBytes(0, address)
    message.setBytes(16, number)
    message.setU16(20, address.length === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU8(22, nl.IPPROTO_ESP)
  }
}
