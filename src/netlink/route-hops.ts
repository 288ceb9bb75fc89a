// The hops of a route: one, or several of a multipath route, each a rtnexthop { len u16, flags u8, hops u8, ifindex s32 } with
// attributes of its own (rtnetlink(7)). A route by a nexthop object reports the hops of that object as well, unless
// net.ipv4.nexthop_compat_mode is 0.
import type { Address } from '../ip/address.ts'
import { Attributes, type Message } from './attribute.ts'
import * as nl from './constants.ts'

const RTMSG = 12
const RTNEXTHOP = 8

/** Where packets may go. */
export interface Hop {
  /** Device index; 0 when it is not reported. */
  readonly index: number
  readonly gateway: Address | undefined
  /** Whether its device is up and has a carrier. */
  readonly live: boolean
}

const inner = new Attributes()

/** Reads the hops of RTM_NEWROUTE in their order; none of a route that leads nowhere. */
export function readHops(message: Message): readonly Hop[] {
  if (message.u8(7) !== nl.RTN_UNICAST) return []
  const attributes = message.parse(RTMSG)
  if (!attributes.has(nl.RTA_MULTIPATH)) return [hopOf(attributes, attributes.number(nl.RTA_OIF), message.u32(8))]
  const hops: Hop[] = []
  const bytes = attributes.bytes(nl.RTA_MULTIPATH)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + RTNEXTHOP <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < RTNEXTHOP || at + length > bytes.length) break
    inner.parse(bytes, view, at + RTNEXTHOP, at + length)
    hops.push(hopOf(inner, view.getInt32(at + 4, true), view.getUint8(at + 2)))
    at += (length + 3) & ~3
  }
  return hops
}

function hopOf(attributes: Attributes, index: number, flags: number): Hop {
  const gateway = attributes.address(nl.RTA_GATEWAY) ?? attributes.via(nl.RTA_VIA)
  return { index, gateway, live: (flags & (nl.RTNH_F_DEAD | nl.RTNH_F_LINKDOWN)) === 0 }
}
