// Numbers of nftables' netlink protocol that more than one file here needs (linux/netfilter.h, netfilter/nfnetlink.h).

/** nfgen_family of a table. */
export type TableFamily = 'inet' | 'ip' | 'ip6'
export const NFPROTO: Readonly<Record<TableFamily, number>> = { inet: 1, ip: 2, ip6: 10 }

export const NETLINK_NETFILTER = 12
/** The subsystem is the high byte of a message's type. */
export const NFNL_SUBSYS_NFTABLES = 10 << 8
/** Bytes of struct nfgenmsg: u8 family, u8 version, be16 res_id. */
export const NFGENMSG = 4
