// Features of network devices over generic netlink: what `ethtool -k` shows (Documentation/networking/ethtool-netlink.rst).
// Reads only.
import { Attributes } from './attribute.ts'
import type { NetlinkConnection } from './connection.ts'
import * as nl from './constants.ts'
import { GENLMSGHDR, genericFamily, genericHeader } from './generic.ts'

/** tx-checksum-ip-generic: NETIF_F_HW_CSUM_BIT of linux/netdev_features.h. */
const HW_CSUM_BIT = 3

const features = new Attributes()

/** Whether a device leaves the sums of what it sends to the hardware. Rejects with KernelError (before Linux 5.7, ENOENT). */
export async function leavesChecksums(generic: NetlinkConnection, index: number): Promise<boolean> {
  const family = await genericFamily(generic, 'ethtool')
  let active = 0
  await generic.request(
    `read features of device ${index}`,
    (message) => {
      genericHeader(message, family, nl.ETHTOOL_MSG_FEATURES_GET)
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
