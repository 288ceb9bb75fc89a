// IPsec policies over NETLINK_XFRM (ip-xfrm(8), linux/xfrm.h): XFRM_MSG_*POLICY with xfrm_userpolicy_info { selector 56 bytes,
// limits 8 u64, current 4 u64, priority u32, index u32, dir u8, action u8, flags u8, share u8 } and one template for a tunnel.
// Invariant: what differs from a plain policy of ours in anything that decides over packets is not read as one.
import { type Address, fromBytes, toBytes } from '../ip/address.ts'
import { type Prefix, addressOf, lengthOf, prefixFamily, prefixOf } from '../ip/prefix.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode, MessageWriter } from './message.ts'
import type { WriteMode } from './neighbor.ts'

/** Bytes of xfrm_selector: addresses at 0 and 16, family at 40, lengths at 42 and 43. */
const SELECTOR = 56
/** Bytes of xfrm_userpolicy_info and xfrm_userpolicy_id. */
const POLICY = 168
const POLICY_ID = 64
/** Bytes of xfrm_user_tmpl. */
const TEMPLATE = 64
/** XFRM_INF: no limit. Both halves of a u64. */
const ALL = 0xffff_ffff

/** Which packets a policy is for; the numbers of XFRM_POLICY_IN, OUT and FWD. */
export type PolicyDirection = 'in' | 'out' | 'fwd'
const DIRECTIONS: readonly PolicyDirection[] = ['in', 'out', 'fwd']

/** The ends of a tunnel, and the number that ties its policies to its associations. */
export interface TunnelTemplate {
  readonly from: Address
  readonly to: Address
  readonly reqid: number
  /** Whether packets that did not come through the tunnel pass too ("level use" of ip-xfrm(8)). */
  readonly optional: boolean
}

/** A policy for all packets between two prefixes. */
export interface PolicyRecord {
  readonly direction: PolicyDirection
  readonly source: Prefix
  readonly destination: Prefix
  /** Undefined where it does something else with packets than to wrap them in ESP, in tunnel mode. */
  readonly template: TunnelTemplate | undefined
  /** The reqid of its first template, whatever that does; 0 without one. */
  readonly reqid: number
}

/** Reads XFRM_MSG_NEWPOLICY, UPDPOLICY and DELPOLICY; undefined for policies of sockets, ports, marks and interfaces. */
export function readPolicy(message: Message): PolicyRecord | undefined {
  const deleted = message.type === nl.XFRM_MSG_DELPOLICY
  const direction = DIRECTIONS[message.u8(deleted ? 60 : 160)]
  const selector = message.fixed(0, SELECTOR)
  const attributes = message.parse(deleted ? POLICY_ID : POLICY)
  if (direction === undefined || attributes.has(nl.XFRMA_MARK) || attributes.number(nl.XFRMA_IF_ID) !== 0)
    return undefined
  const ends = readSelector(selector)
  if (ends === undefined) return undefined
  const templates = attributes.bytes(nl.XFRMA_TMPL)
  const allows = deleted || message.u8(161) === nl.XFRM_POLICY_ALLOW
  const first = templates.length === TEMPLATE && allows ? readTemplate(templates) : undefined
  return { direction, ...ends, template: first, reqid: templates.length < TEMPLATE ? 0 : u32(templates, 44) }
}

/** The prefixes of a selector for whole hosts and networks; undefined for one by port, protocol or device. */
function readSelector(bytes: Uint8Array): Pick<PolicyRecord, 'source' | 'destination'> | undefined {
  if (bytes.length < SELECTOR) return undefined
  const size = bytes[40] === nl.AF_INET ? 4 : bytes[40] === nl.AF_INET6 ? 16 : 0
  const [toLength = 0, fromLength = 0] = bytes.subarray(42, 44)
  // Ports and their masks, the protocol, the device.
  const others = [...bytes.subarray(32, 40), ...bytes.subarray(44, 45), ...bytes.subarray(48, 52)]
  if (size === 0 || toLength > size * 8 || fromLength > size * 8 || others.some((byte) => byte !== 0)) return undefined
  return {
    source: prefixOf(fromBytes(bytes.subarray(16, 16 + size)), fromLength),
    destination: prefixOf(fromBytes(bytes.subarray(0, size)), toLength),
  }
}

/** Address at 0 and 28, protocol at 20, family at 24, reqid at 44, mode at 48, optional at 50. */
function readTemplate(bytes: Uint8Array): TunnelTemplate | undefined {
  const size = bytes[24] === nl.AF_INET ? 4 : bytes[24] === nl.AF_INET6 ? 16 : 0
  const plain = bytes[20] === nl.IPPROTO_ESP && bytes[48] === nl.XFRM_MODE_TUNNEL
  if (size === 0 || !plain) return undefined
  return {
    from: fromBytes(bytes.subarray(28, 28 + size)),
    to: fromBytes(bytes.subarray(0, size)),
    reqid: u32(bytes, 44),
    optional: bytes[50] !== 0,
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)
}

/** Asks for all policies: for a dump. */
export const askPolicies: Encode = (message) => {
  message.header(nl.XFRM_MSG_GETPOLICY, 0, POLICY_ID)
}

/** Writes a policy. Deleting names its selector and direction, of which there is one. */
export function writePolicy(
  write: WriteMode,
  { direction, source, destination, template }: Omit<PolicyRecord, 'reqid' | 'template'> & { template: TunnelTemplate },
): Encode {
  if (write === 'delete')
    return (message) => {
      message.header(nl.XFRM_MSG_DELPOLICY, 0, POLICY_ID)
      writeSelector(message, source, destination)
      message.setU8(60, DIRECTIONS.indexOf(direction))
    }
  return (message) => {
    message.header(write === 'add' ? nl.XFRM_MSG_NEWPOLICY : nl.XFRM_MSG_UPDPOLICY, 0, POLICY)
    writeSelector(message, source, destination)
    // Limits of bytes and packets, soft and hard; times of 0 are none.
    for (let at = SELECTOR; at < SELECTOR + 32; at += 4) message.setU32(at, ALL)
    message.setU8(160, DIRECTIONS.indexOf(direction))
    message.setU8(161, nl.XFRM_POLICY_ALLOW)
    message.bytes(nl.XFRMA_TMPL, templateBytes(template))
  }
}

function writeSelector(message: MessageWriter, source: Prefix, destination: Prefix): void {
  message.setBytes(0, toBytes(addressOf(destination)))
  message.setBytes(16, toBytes(addressOf(source)))
  message.setU16(40, prefixFamily(source) === 4 ? nl.AF_INET : nl.AF_INET6)
  message.setU8(42, lengthOf(destination))
  message.setU8(43, lengthOf(source))
}

function templateBytes({ from, to, reqid, optional }: TunnelTemplate): Uint8Array {
  const bytes = new Uint8Array(TEMPLATE)
  const view = new DataView(bytes.buffer)
  bytes.set(toBytes(to), 0)
  bytes[20] = nl.IPPROTO_ESP
  view.setUint16(24, toBytes(to).length === 4 ? nl.AF_INET : nl.AF_INET6, true)
  bytes.set(toBytes(from), 28)
  view.setUint32(44, reqid, true)
  bytes[48] = nl.XFRM_MODE_TUNNEL
  bytes[50] = optional ? 1 : 0
  // Any algorithm: charon agrees on them with the peer.
  for (const at of [52, 56, 60]) view.setUint32(at, ALL, true)
  return bytes
}
