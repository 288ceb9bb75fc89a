// Numbers of the kernel's netlink interface, named as in its headers (include/uapi/linux of Linux 6.1).
// Invariant: only numbers that something here uses.

/** socket(2), netlink(7) */
export const AF_UNSPEC = 0
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_RAW = 3
export const SOL_SOCKET = 1
export const SO_RCVBUF = 8
export const SO_PEERCRED = 17
export const SO_RCVBUFFORCE = 33
export const SOL_NETLINK = 270
export const NETLINK_ROUTE = 0
export const NETLINK_SOCK_DIAG = 4
export const NETLINK_XFRM = 6
export const NETLINK_GENERIC = 16
export const NETLINK_ADD_MEMBERSHIP = 1
export const NETLINK_CAP_ACK = 10
export const NETLINK_EXT_ACK = 11
export const NETLINK_GET_STRICT_CHK = 12

/** netlink.h: message types and flags */
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_CAPPED = 0x100
export const NLM_F_ACK_TLVS = 0x200
export const NLMSGERR_ATTR_MSG = 1
export const NLA_F_NESTED = 0x8000
export const NLA_TYPE_MASK = 0x3fff

/** sock_diag.h, unix_diag.h */
export const SOCK_DIAG_BY_FAMILY = 20
export const UDIAG_SHOW_NAME = 0x1
export const UDIAG_SHOW_UID = 0x40
export const UNIX_DIAG_NAME = 0
export const UNIX_DIAG_UID = 7

/** genetlink.h */
export const GENL_ID_CTRL = 16
export const CTRL_CMD_GETFAMILY = 3
export const CTRL_ATTR_FAMILY_ID = 1
export const CTRL_ATTR_FAMILY_NAME = 2

/** wireguard.h */
export const WG_CMD_GET_DEVICE = 0
export const WG_CMD_SET_DEVICE = 1
export const WGDEVICE_A_IFNAME = 2
export const WGDEVICE_A_PRIVATE_KEY = 3
export const WGDEVICE_A_PUBLIC_KEY = 4
export const WGDEVICE_A_LISTEN_PORT = 6
export const WGDEVICE_A_PEERS = 8
export const WGPEER_F_REMOVE_ME = 1
export const WGPEER_F_REPLACE_ALLOWEDIPS = 2
export const WGPEER_A_PUBLIC_KEY = 1
export const WGPEER_A_PRESHARED_KEY = 2
export const WGPEER_A_FLAGS = 3
export const WGPEER_A_ENDPOINT = 4
export const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5
export const WGPEER_A_LAST_HANDSHAKE_TIME = 6
export const WGPEER_A_RX_BYTES = 7
export const WGPEER_A_TX_BYTES = 8
export const WGPEER_A_ALLOWEDIPS = 9
export const WGALLOWEDIP_A_FAMILY = 1
export const WGALLOWEDIP_A_IPADDR = 2
export const WGALLOWEDIP_A_CIDR_MASK = 3

/** ethtool_netlink.h */
export const ETHTOOL_MSG_FEATURES_GET = 11
export const ETHTOOL_A_FEATURES_HEADER = 1
export const ETHTOOL_A_FEATURES_ACTIVE = 4
export const ETHTOOL_A_HEADER_DEV_INDEX = 1
export const ETHTOOL_A_HEADER_FLAGS = 3
export const ETHTOOL_FLAG_COMPACT_BITSETS = 1
export const ETHTOOL_A_BITSET_VALUE = 4

/** rtnetlink.h: message types */
export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26
export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30
export const RTM_NEWNEXTHOP = 104
export const RTM_DELNEXTHOP = 105
export const RTM_GETNEXTHOP = 106

/** rtnetlink.h: multicast groups */
export const RTNLGRP_LINK = 1
export const RTNLGRP_NEIGH = 3
export const RTNLGRP_IPV4_IFADDR = 5
export const RTNLGRP_IPV4_ROUTE = 7
export const RTNLGRP_IPV6_IFADDR = 9
export const RTNLGRP_IPV6_ROUTE = 11
export const RTNLGRP_NEXTHOP = 32

/** if.h, if_link.h */
export const IFF_UP = 0x1
export const IFF_LOOPBACK = 0x8
export const IFF_LOWER_UP = 0x10000
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
export const IFLA_MASTER = 10
export const IFLA_LINKINFO = 18
export const IFLA_AF_SPEC = 26
export const IFLA_EXT_MASK = 29
export const RTEXT_FILTER_SKIP_STATS = 8
export const IFLA_INFO_KIND = 1
export const IFLA_INFO_DATA = 2
export const IFLA_INET6_ADDR_GEN_MODE = 8
export const IN6_ADDR_GEN_MODE_NONE = 1
export const IFLA_VXLAN_ID = 1
export const IFLA_VXLAN_LINK = 3
export const IFLA_VXLAN_LOCAL = 4
export const IFLA_VXLAN_LEARNING = 7
export const IFLA_VXLAN_PORT = 15
export const IFLA_VXLAN_LOCAL6 = 17
export const IFLA_VXLAN_GBP = 23
export const IFLA_VXLAN_COLLECT_METADATA = 25

/** if_tunnel.h */
export const IFLA_IPTUN_LOCAL = 2
export const IFLA_IPTUN_REMOTE = 3

/** if_addr.h */
export const IFA_ADDRESS = 1
export const IFA_LOCAL = 2
export const IFA_FLAGS = 8
export const IFA_F_NODAD = 0x2
/** Of IPv6 alone: in IPv4 it says "secondary". */
export const IFA_F_TEMPORARY = 0x1
export const IFA_F_DADFAILED = 0x8
export const IFA_F_DEPRECATED = 0x20
export const IFA_F_PERMANENT = 0x80
export const IFA_F_NOPREFIXROUTE = 0x200
export const RT_SCOPE_UNIVERSE = 0
export const RTPROT_RA = 9
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_NOWHERE = 255

/** neighbour.h */
export const NDA_DST = 1
export const NDA_LLADDR = 2
export const NDA_IFINDEX = 8
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80
export const NTF_SELF = 0x2

/** rtnetlink.h: routes */
export const RT_TABLE_MAIN = 254
export const RTN_UNICAST = 1
export const RTN_BLACKHOLE = 6
export const RTNH_F_DEAD = 0x1
export const RTNH_F_ONLINK = 0x4
export const RTNH_F_LINKDOWN = 0x10
export const RTM_F_CLONED = 0x200
export const RTA_DST = 1
export const RTA_OIF = 4
export const RTA_GATEWAY = 5
export const RTA_PRIORITY = 6
export const RTA_PREFSRC = 7
export const RTA_MULTIPATH = 9
export const RTA_TABLE = 15
export const RTA_VIA = 18
export const RTA_ENCAP = 22
export const RTA_NH_ID = 30

/** nexthop.h */
export const NHA_ID = 1
export const NHA_OIF = 5
export const NHA_GATEWAY = 6

/** xfrm.h, in.h */
export const XFRM_MSG_DELSA = 17
export const XFRM_MSG_GETSA = 18
export const XFRM_MSG_NEWPOLICY = 19
export const XFRM_MSG_DELPOLICY = 20
export const XFRM_MSG_GETPOLICY = 21
export const XFRM_MSG_UPDPOLICY = 25
export const XFRM_MSG_FLUSHSA = 28
export const XFRM_MSG_FLUSHPOLICY = 29
export const XFRMNLGRP_SA = 3
export const XFRMNLGRP_POLICY = 4
export const XFRMA_ALG_CRYPT = 2
export const XFRMA_TMPL = 5
export const XFRMA_ALG_AEAD = 18
export const XFRMA_MARK = 21
export const XFRMA_IF_ID = 31
export const XFRM_POLICY_ALLOW = 0
export const XFRM_MODE_TUNNEL = 1
export const IPPROTO_ESP = 50
