// Nexthop objects: RTM_*NEXTHOP with nhmsg { family u8, scope u8, protocol u8, pad u8, flags u32 } (linux/nexthop.h, 5.3+).
// Invariant: what we write is a gateway on a device, onlink.
import { type Address, familyOf } from '../ip/address.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode } from './message.ts'
import { type WriteMode, verb } from './neighbor.ts'

const NHMSG = 8

/** A nexthop object; groups, blackholes and those without gateway have no `gateway`. */
export interface NexthopRecord {
  readonly id: number
  readonly gateway: Address | undefined
  /** Device index; 0 for none. */
  readonly index: number
  readonly protocol: number
  readonly onlink: boolean
}

/** Reads RTM_NEWNEXTHOP or RTM_DELNEXTHOP. */
export function readNexthop(message: Message): NexthopRecord {
  const attributes = message.parse(NHMSG)
  return {
    id: attributes.number(nl.NHA_ID),
    gateway: attributes.address(nl.NHA_GATEWAY),
    index: attributes.number(nl.NHA_OIF),
    protocol: message.u8(2),
    onlink: (message.u32(4) & nl.RTNH_F_ONLINK) !== 0,
  }
}

/** Asks for all nexthop objects. */
export const askNexthops: Encode = (message) => {
  message.header(nl.RTM_GETNEXTHOP, 0, NHMSG)
}

/** Adds or replaces a nexthop object; replacing moves its routes at once. */
export function writeNexthop(
  write: Exclude<WriteMode, 'delete'>,
  { id, gateway, index, protocol }: Omit<NexthopRecord, 'gateway' | 'onlink'> & { readonly gateway: Address },
): Encode {
  const [type, flags] = verb(write, nl.RTM_NEWNEXTHOP)
  return (message) => {
    message.header(type, flags, NHMSG)
    message.setU8(0, familyOf(gateway) === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU8(2, protocol)
    message.setU32(4, nl.RTNH_F_ONLINK)
    message.u32(nl.NHA_ID, id)
    message.u32(nl.NHA_OIF, index)
    message.address(nl.NHA_GATEWAY, gateway)
  }
}

/** Deletes a nexthop object, and with it the routes that lead through it. */
export function deleteNexthop(id: number): Encode {
  return (message) => {
    message.header(nl.RTM_DELNEXTHOP, 0, NHMSG)
    message.u32(nl.NHA_ID, id)
  }
}
