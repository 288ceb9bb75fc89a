// Routes: RTM_*ROUTE with rtmsg { family u8, dst_len u8, src_len u8, tos u8, table u8, protocol u8, scope u8, type u8,
// flags u32 } (rtnetlink(7)). Main table only.
import type { Address, Family } from '../ip/address.ts'
import { type Prefix, addressOf, lengthOf, prefixFamily } from '../ip/prefix.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode, MessageWriter } from './message.ts'
import { type WriteMode, verb } from './neighbor.ts'

const RTMSG = 12

/** Where a route leads; devices by index. `text` is iproute2's word or words. */
export type RouteHop =
  | { readonly type: 'gateway'; readonly gateway: Address; readonly index: number; readonly onlink: boolean }
  | { readonly type: 'nexthop'; readonly id: number }
  | { readonly type: 'device'; readonly index: number }
  | { readonly type: 'blackhole' }
  | { readonly type: 'other'; readonly text: string }

/** A route of the main table. */
export interface RouteRecord {
  readonly destination: Prefix
  readonly metric: number
  readonly protocol: number
  readonly scope: number
  readonly hop: RouteHop
}

const ANY: Readonly<Record<number, Address>> = { [nl.AF_INET]: '0.0.0.0' as Address, [nl.AF_INET6]: '::' as Address }

/** rtnetlink.h: RTN_*, in iproute2's words. */
const TYPES = [
  'none',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
]

/** Reads RTM_NEWROUTE or RTM_DELROUTE; undefined for other tables and families, sources, TOS values and cache entries. */
export function readRoute(message: Message): RouteRecord | undefined {
  const family = message.u8(0)
  const any = ANY[family]
  if (any === undefined || message.u8(2) !== 0 || message.u8(3) !== 0) return undefined
  if ((message.u32(8) & nl.RTM_F_CLONED) !== 0) return undefined
  const attributes = message.parse(RTMSG)
  const table = attributes.has(nl.RTA_TABLE) ? attributes.number(nl.RTA_TABLE) : message.u8(4)
  if (table !== nl.RT_TABLE_MAIN) return undefined
  return {
    destination: `${attributes.address(nl.RTA_DST) ?? any}/${message.u8(1)}` as Prefix,
    metric: attributes.number(nl.RTA_PRIORITY),
    protocol: message.u8(5),
    scope: message.u8(6),
    hop: readHop(message),
  }
}

function readHop(message: Message): RouteHop {
  const { attributes } = message
  const type = message.u8(7)
  if (type === nl.RTN_BLACKHOLE) return { type: 'blackhole' }
  if (type !== nl.RTN_UNICAST) return { type: 'other', text: TYPES[type] ?? `type ${type}` }
  if (attributes.has(nl.RTA_NH_ID)) return { type: 'nexthop', id: attributes.number(nl.RTA_NH_ID) }
  if (attributes.has(nl.RTA_MULTIPATH)) return { type: 'other', text: 'multipath' }
  if (attributes.has(nl.RTA_ENCAP)) return { type: 'other', text: 'encap' }
  if (attributes.has(nl.RTA_VIA)) return { type: 'other', text: 'via another family' }
  const index = attributes.number(nl.RTA_OIF)
  const gateway = attributes.address(nl.RTA_GATEWAY)
  if (gateway === undefined) return { type: 'device', index }
  return { type: 'gateway', gateway, index, onlink: (message.u32(8) & nl.RTNH_F_ONLINK) !== 0 }
}

/** Asks for the main table of one family: kernels with strict checking (4.20+) send nothing else. */
export function askRoutes(family: Family): Encode {
  return (message) => {
    message.header(nl.RTM_GETROUTE, 0, RTMSG)
    message.setU8(0, family === 4 ? nl.AF_INET : nl.AF_INET6)
    message.u32(nl.RTA_TABLE, nl.RT_TABLE_MAIN)
  }
}

/** Writes a route. Deleting names all that is known of it, so that no other with its destination goes. */
export function writeRoute(write: WriteMode, route: Omit<RouteRecord, 'scope'>): Encode {
  const [type, flags] = verb(write, nl.RTM_NEWROUTE)
  return (message) => {
    const family = prefixFamily(route.destination)
    message.header(type, flags, RTMSG)
    message.setU8(0, family === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU8(1, lengthOf(route.destination))
    message.setU8(4, nl.RT_TABLE_MAIN)
    message.setU8(5, route.protocol)
    message.setU8(6, scopeOf(write, family, route.hop))
    message.setU8(7, typeOf(route.hop))
    if (lengthOf(route.destination) > 0) message.address(nl.RTA_DST, addressOf(route.destination))
    if (route.metric !== 0) message.u32(nl.RTA_PRIORITY, route.metric)
    writeHop(message, route.hop)
  }
}

function writeHop(message: MessageWriter, hop: RouteHop): void {
  if (hop.type === 'gateway') {
    if (hop.onlink) message.setU32(8, nl.RTNH_F_ONLINK)
    message.address(nl.RTA_GATEWAY, hop.gateway)
  }
  if (hop.type === 'gateway' || hop.type === 'device') message.u32(nl.RTA_OIF, hop.index)
  if (hop.type === 'nexthop') message.u32(nl.RTA_NH_ID, hop.id)
}

/** IPv4 wants "link" for what has no gateway. In a deletion, "nowhere" means any; IPv6 has no scopes. */
function scopeOf(write: WriteMode, family: Family, hop: RouteHop): number {
  if (family === 6) return nl.RT_SCOPE_UNIVERSE
  if (write === 'delete') return nl.RT_SCOPE_NOWHERE
  return hop.type === 'device' ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE
}

function typeOf(hop: RouteHop): number {
  if (hop.type === 'blackhole') return nl.RTN_BLACKHOLE
  if (hop.type !== 'other') return nl.RTN_UNICAST
  const type = TYPES.indexOf(hop.text)
  // Multipath and the like are unicast routes.
  return type < 0 ? nl.RTN_UNICAST : type
}
