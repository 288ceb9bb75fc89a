// The keys of the network config: names, defaults, rules, and the effect of a change on running hosts. The parser reads no other
// keys; `flanneld config` and docs/reference.md show these.
import { RANGE_KEYS } from './range.ts'

/** One key of the config. Texts for the operator. */
export interface TopKey {
  readonly type: 'text' | 'integer' | 'boolean' | 'object'
  /** The value if it is absent. */
  readonly default: string
  readonly rule: string
  /** The effect of a change. */
  readonly change: string
}

const V4 = RANGE_KEYS[4]
const V6 = RANGE_KEYS[6]
const FAMILY_CHANGE =
  'a family that is switched on: hosts get a subnet of it beside the one they have; one that is switched off goes; the last one never'

/** All of them, by name, in the order of the documents. Names are case-insensitive. */
export const TOP_KEYS: Readonly<Record<string, TopKey>> = {
  [V4.network]: {
    type: 'text',
    default: 'none, required',
    rule: 'an IPv4 network of /28 or larger, of unicast addresses; must not overlap a network of a host',
    change: 'subnet.env and firewall rules follow; dockerd keeps its options until it restarts',
  },
  [V4.subnetLen]: {
    type: 'integer',
    default: '24, or two more than the length of Network if that is longer',
    rule: 'from two more than the length of Network to 30',
    change: 'applies to new leases',
  },
  [V4.subnetMin]: {
    type: 'text',
    default: 'the second subnet of Network',
    rule: 'the first address of a subnet in Network',
    change: 'applies to new leases: a running host keeps its subnet, and moves when its daemon restarts',
  },
  [V4.subnetMax]: {
    type: 'text',
    default: 'the last subnet of Network',
    rule: 'the first address of a subnet in Network, not before SubnetMin',
    change: 'applies to new leases: a running host keeps its subnet, and moves when its daemon restarts',
  },
  Backend: {
    type: 'object',
    default: '{"Type": "vxlan"}, with a warning: Go falls back to udp',
    rule: 'has a Type (case-insensitive) and keys of that backend',
    change: 'see the backend',
  },
  EnableIPv4: {
    type: 'boolean',
    default: 'true',
    rule: 'may be false where EnableIPv6 is true',
    change: FAMILY_CHANGE,
  },
  EnableIPv6: {
    type: 'boolean',
    default: 'false',
    rule: 'requires IPv6Network, and an IPv6 address on every host',
    change: FAMILY_CHANGE,
  },
  EnableNFTables: {
    type: 'boolean',
    default: 'false',
    rule: 'put our rules into nftables tables instead of iptables',
    change: 'rules move between iptables and nftables, the new ones first',
  },
  [V6.network]: {
    type: 'text',
    default: 'none, required with EnableIPv6',
    rule: 'an IPv6 network of /124 or larger, of unicast addresses; must not overlap a network of a host',
    change: 'as for Network',
  },
  [V6.subnetLen]: {
    type: 'integer',
    default: '64, or two more than the length of IPv6Network if that is longer',
    rule: 'from two more than the length of IPv6Network to 126',
    change: 'applies to new leases',
  },
  [V6.subnetMin]: {
    type: 'text',
    default: 'the second subnet of IPv6Network',
    rule: 'the first address of a subnet in IPv6Network',
    change: 'as for SubnetMin',
  },
  [V6.subnetMax]: {
    type: 'text',
    default: 'the last subnet of IPv6Network',
    rule: 'the first address of a subnet in IPv6Network, not before IPv6SubnetMin',
    change: 'as for SubnetMax',
  },
}

/** The effect of a key's change. */
export function effectOf(key: string): string {
  return TOP_KEYS[key]?.change ?? ''
}
