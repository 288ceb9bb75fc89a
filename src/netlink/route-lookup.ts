// What the kernel itself would do with a packet: RTM_GETROUTE for one address (rtnetlink(7)), as `ip route get` asks. It heeds
// policy rules, all tables, multipath and dead nexthops, which a reading of the main table does not.
import { type Address, familyOf } from '../ip/address.ts'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import type { Encode } from './message.ts'

const RTMSG = 12
const BITS = { 4: 32, 6: 128 } as const

/** Where a packet would go. */
export interface LookedUpRoute {
  /** Device index. */
  readonly index: number
  /** The address it would be sent from. */
  readonly source: Address | undefined
  /** The next hop; undefined where the target is on the link. */
  readonly gateway: Address | undefined
}

/** Asks where packets to `target` go. */
export function askRoute(target: Address): Encode {
  return (message) => {
    const family = familyOf(target)
    message.header(nl.RTM_GETROUTE, 0, RTMSG)
    message.setU8(0, family === 4 ? nl.AF_INET : nl.AF_INET6)
    message.setU8(1, BITS[family])
    message.address(nl.RTA_DST, target)
  }
}

/** Reads the answer; undefined when packets would not leave this host: a blackhole, an address of our own, a group. */
export function readAnswer(message: Message): LookedUpRoute | undefined {
  const attributes = message.parse(RTMSG)
  const index = attributes.number(nl.RTA_OIF)
  if (message.u8(7) !== nl.RTN_UNICAST || index === 0) return undefined
  const gateway = attributes.address(nl.RTA_GATEWAY) ?? attributes.via(nl.RTA_VIA)
  return { index, source: attributes.address(nl.RTA_PREFSRC), gateway }
}
