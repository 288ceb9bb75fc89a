// Features of network devices over generic netlink: what `ethtool -k` shows (Documentation/networking/ethtool-netlink.rst).
// Messages are genlmsghdr { command u8, version u8, reserved u16 } and attributes. Reads only.
import { Attributes } from './attribute.ts'
import { NetlinkConnection } from './connection.ts'
import * as nl from './constants.ts'

const GENLMSGHDR = 4
/** tx-checksum-ip-generic: NETIF_F_HW_CSUM_BIT of linux/netdev_features.h. */
const HW_CSUM_BIT = 3

const features = new Attributes()

/** A connection to the generic netlink of this network namespace. Throws KernelError. */
export function openGeneric(): NetlinkConnection {
  return new NetlinkConnection(undefined, {}, nl.NETLINK_GENERIC)
}

/** Whether a device leaves the sums of what it sends to the hardware. Rejects with KernelError (before Linux 5.7, ENOENT). */
export async function leavesChecksums(generic: NetlinkConnection, index: number): Promise<boolean> {
  const family = await familyOf(generic, 'ethtool')
  let active = 0
  await generic.request(
    `read features of device ${index}`,
    (message) => {
      message.header(family, 0, GENLMSGHDR)
      message.setU8(0, nl.ETHTOOL_MSG_FEATURES_GET)
      message.setU8(1, 1)
      message.nest(nl.ETHTOOL_A_FEATURES_HEADER, () => {
        message.u32(nl.ETHTOOL_A_HEADER_DEV_INDEX, index)
        message.u32(nl.ETHTOOL_A_HEADER_FLAGS, nl.ETHTOOL_FLAG_COMPACT_BITSETS)
      })
    },
    (message) => {
      active = message
        .parse(GENLMSGHDR)
        .nested(nl.ETHTOOL_A_FEATURES_ACTIVE, features)
        .number(nl.ETHTOOL_A_BITSET_VALUE)
    },
  )
  return ((active >>> HW_CSUM_BIT) & 1) === 1
}

/** The number a family of generic netlink has in this kernel. */
async function familyOf(generic: NetlinkConnection, name: string): Promise<number> {
  let id = 0
  await generic.request(
    `look up ${name}`,
    (message) => {
      message.header(nl.GENL_ID_CTRL, 0, GENLMSGHDR)
      message.setU8(0, nl.CTRL_CMD_GETFAMILY)
      message.setU8(1, 1)
      message.text(nl.CTRL_ATTR_FAMILY_NAME, name)
    },
    (message) => {
      id = message.parse(GENLMSGHDR).number(nl.CTRL_ATTR_FAMILY_ID)
    },
  )
  return id
}
