// Neighbours and VXLAN forwarding entries, which share RTM_*NEIGH with ndmsg { family u8, pad u8, pad u16, index i32,
// state u16, flags u8, type u8 } (rtnetlink(7)): family AF_BRIDGE with NTF_SELF is a device's own forwarding database.
import { type Address, familyOf } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode } from './message.ts'

const NDMSG = 12

/** An entry of either table. */
export interface NeighborRecord {
  /** Whether it is a forwarding entry. */
  readonly fdb: boolean
  readonly index: number
  /** Neighbour: its address. Forwarding entry: the host behind which the MAC is; undefined where there is none. */
  readonly address: Address | undefined
  /** Undefined while it is being resolved. */
  readonly mac: Mac | undefined
  /** Set by hand, never aged. */
  readonly permanent: boolean
}

/** What to do with an entry: add fails when there is one, replace swaps it. */
export type WriteMode = 'add' | 'replace' | 'delete'

/** rtnetlink's type and flags for a write of a kind whose RTM_NEW type is `type`. */
export function verb(write: WriteMode, type: number): readonly [type: number, flags: number] {
  if (write === 'delete') return [type + 1, 0]
  return [type, nl.NLM_F_CREATE | (write === 'add' ? nl.NLM_F_EXCL : nl.NLM_F_REPLACE)]
}

/** Reads RTM_NEWNEIGH or RTM_DELNEIGH. */
export function readNeighbor(message: Message): NeighborRecord {
  const attributes = message.parse(NDMSG)
  const fdb = message.u8(0) === nl.AF_BRIDGE
  const state = message.u16(8)
  return {
    fdb,
    index: message.i32(4),
    address: attributes.address(nl.NDA_DST),
    mac: attributes.mac(nl.NDA_LLADDR),
    // iproute2 writes "static" forwarding entries as NOARP; neighbours that need no resolving are NOARP by themselves.
    permanent: (state & (fdb ? nl.NUD_PERMANENT | nl.NUD_NOARP : nl.NUD_PERMANENT)) !== 0,
  }
}

/** Asks for the neighbours of one device, both families. */
export function askNeighbors(index: number): Encode {
  return askTable(nl.AF_UNSPEC, index)
}

/** Asks for the neighbour with one address (kernel 5.0). */
export function askNeighbor(index: number, address: Address): Encode {
  return (message) => {
    message.header(nl.RTM_GETNEIGH, 0, NDMSG)
    message.setU8(0, familyOf(address) === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU32(4, index)
    message.address(nl.NDA_DST, address)
  }
}

/** Asks for the forwarding entries of one device. */
export function askFdb(index: number): Encode {
  return askTable(nl.AF_BRIDGE, index)
}

function askTable(family: number, index: number): Encode {
  return (message) => {
    message.header(nl.RTM_GETNEIGH, 0, NDMSG)
    message.setU8(0, family)
    message.u32(nl.NDA_IFINDEX, index)
  }
}

/** Writes a permanent neighbour. */
export function writeNeighbor(write: WriteMode, index: number, address: Address, mac: Mac): Encode {
  const [type, flags] = verb(write, nl.RTM_NEWNEIGH)
  return (message) => {
    message.header(type, flags, NDMSG)
    message.setU8(0, familyOf(address) === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU32(4, index)
    message.address(nl.NDA_DST, address)
    if (write === 'delete') return
    message.setU16(8, nl.NUD_PERMANENT)
    message.mac(nl.NDA_LLADDR, mac)
  }
}

/** Writes a permanent forwarding entry. Deleting removes the complete entry, whatever its destinations. */
export function writeFdb(write: WriteMode, index: number, mac: Mac, destination: Address): Encode {
  const [type, flags] = verb(write, nl.RTM_NEWNEIGH)
  return (message) => {
    message.header(type, flags, NDMSG)
    message.setU8(0, nl.AF_BRIDGE)
    message.setU32(4, index)
    message.setU16(8, nl.NUD_PERMANENT)
    message.setU8(10, nl.NTF_SELF)
    message.mac(nl.NDA_LLADDR, mac)
    if (write !== 'delete') message.address(nl.NDA_DST, destination)
  }
}
