// The keys of the network config: their names, what holds without them, the rule each is held to, and what follows on running hosts
// when one changes. The parser reads no other keys; `flanneld config` and docs/reference.md tell of these.
import { RANGE_KEYS } from './range.ts'

/** One key of the whole config. Texts for people. */
export interface TopKey {
  readonly type: 'text' | 'integer' | 'boolean' | 'object'
  /** What holds when it is absent. */
  readonly default: string
  readonly rule: string
  /** What follows when it changes. */
  readonly change: string
}

const V4 = RANGE_KEYS[4]
const V6 = RANGE_KEYS[6]
const NOT_SERVED = { default: 'as for IPv4', rule: 'as for IPv4', change: 'none: IPv6 is not served yet' } as const

/** All of them, by name, in the order of the documents. Names are found in any case. */
export const TOP_KEYS: Readonly<Record<string, TopKey>> = {
  [V4.network]: {
    type: 'text',
    default: 'none: it has to be given',
    rule: 'an IPv4 network of /28 or larger, of addresses that hosts may have; overlaps no network of a host',
    change: 'subnet.env and firewall rules follow; dockerd does not notice',
  },
  [V4.subnetLen]: {
    type: 'integer',
    default: '24, or two more than the length of Network where that is longer',
    rule: 'from two more than the length of Network to 30',
    change: 'for leases from now on',
  },
  [V4.subnetMin]: {
    type: 'text',
    default: 'the second subnet of Network',
    rule: 'the first address of a subnet in Network',
    change: 'for leases from now on: a host that runs keeps its subnet, and moves when its daemon starts again',
  },
  [V4.subnetMax]: {
    type: 'text',
    default: 'the last subnet of Network',
    rule: 'the first address of a subnet in Network, not before SubnetMin',
    change: 'for leases from now on: a host that runs keeps its subnet, and moves when its daemon starts again',
  },
  Backend: {
    type: 'object',
    default: '{"Type": "vxlan"}, with a warning: Go falls back to udp',
    rule: 'has a Type, in any case, and keys of that backend',
    change: 'see there',
  },
  EnableIPv4: {
    type: 'boolean',
    default: 'true',
    rule: 'true: IPv6 alone is not supported yet',
    change: 'none: false is refused',
  },
  EnableIPv6: {
    type: 'boolean',
    default: 'false',
    rule: 'IPv6Network has to be given beside it; warned about: IPv6 is not served yet, IPv4 is',
    change: 'none',
  },
  EnableNFTables: {
    type: 'boolean',
    default: 'false',
    rule: 'rules in nftables tables of our own instead of iptables',
    change: 'rules move between iptables and nftables, the new ones first',
  },
  [V6.network]: { type: 'text', ...NOT_SERVED, default: 'none' },
  [V6.subnetLen]: { type: 'integer', ...NOT_SERVED, default: '64' },
  [V6.subnetMin]: { type: 'text', ...NOT_SERVED },
  [V6.subnetMax]: { type: 'text', ...NOT_SERVED },
}

/** What follows when a key changes. */
export function effectOf(key: string): string {
  return TOP_KEYS[key]?.change ?? ''
}
