// Addresses on devices: RTM_*ADDR with ifaddrmsg { family u8, length u8, flags u8, scope u8, index u32 } (rtnetlink(7)).
import { type Address, familyOf } from '../ip/address.ts'
import { type Prefix, bitsOf, prefixOf } from '../ip/prefix.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode } from './message.ts'

const IFADDRMSG = 8
const FLEETING = nl.IFA_F_TEMPORARY | nl.IFA_F_DEPRECATED | nl.IFA_F_DADFAILED

/** An address on a device. */
export interface AddressRecord {
  readonly index: number
  readonly address: Address
  readonly length: number
  /** rtnetlink(7): 0 universe, 253 link, 254 host. */
  readonly scope: number
  /** Not one that a router advertisement or a DHCP client gave with a lifetime. */
  readonly permanent: boolean
  /** Not to be known by: an IPv6 address for privacy (RFC 8981), one past its preferred time, or one that another host has. */
  readonly fleeting: boolean
  /** The network the kernel makes a route to with it; undefined where it was asked to make none (noprefixroute), or is alone. */
  readonly network: Prefix | undefined
}

/** Reads RTM_NEWADDR or RTM_DELADDR; undefined for other families than IPv4 and IPv6. */
export function readAddress(message: Message): AddressRecord | undefined {
  const attributes = message.parse(IFADDRMSG)
  // On a point-to-point device IFA_ADDRESS is the other end; IPv6 has IFA_LOCAL only there.
  const far = attributes.address(nl.IFA_ADDRESS)
  const address = attributes.address(nl.IFA_LOCAL) ?? far
  if (address === undefined) return undefined
  const flags = attributes.has(nl.IFA_FLAGS) ? attributes.number(nl.IFA_FLAGS) : message.u8(2)
  return {
    index: message.i32(4),
    address,
    length: message.u8(1),
    scope: message.u8(3),
    permanent: (flags & nl.IFA_F_PERMANENT) !== 0,
    fleeting: familyOf(address) === 6 && (flags & FLEETING) !== 0,
    network: (flags & nl.IFA_F_NOPREFIXROUTE) === 0 ? networkOf(address, far, message.u8(1)) : undefined,
  }
}

function networkOf(own: Address, far: Address = own, length: number): Prefix | undefined {
  return own === far && length === bitsOf(familyOf(own)) ? undefined : prefixOf(far, length)
}

/** Asks for the addresses of both families; of one device when its index is not 0. */
export function askAddresses(index: number): Encode {
  return (message) => {
    message.header(nl.RTM_GETADDR, 0, IFADDRMSG)
    message.setU32(4, index)
  }
}

/** Adds an address; fails when it is there. */
export function addAddress(index: number, address: Address, length: number): Encode {
  return writeAddress(nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_EXCL, index, address, length)
}

/** Deletes the address that has this length there. */
export function deleteAddress(index: number, address: Address, length: number): Encode {
  return writeAddress(nl.RTM_DELADDR, 0, index, address, length)
}

function writeAddress(type: number, flags: number, index: number, address: Address, length: number): Encode {
  return (message) => {
    const family = familyOf(address)
    message.header(type, flags, IFADDRMSG)
    message.setU8(0, family === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU8(1, length)
    // No host on a VXLAN device answers duplicate address detection; without it the address works at once.
    if (family === 6) message.setU8(2, nl.IFA_F_NODAD)
    message.setU32(4, index)
    message.address(nl.IFA_LOCAL, address)
    message.address(nl.IFA_ADDRESS, address)
  }
}
