// What the programs of firewalls call the two families.
import type { Family } from '../ip/address.ts'

/** The iptables program of each family. */
export const IPTABLES: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' }

/** The protocol in nft's rules, and the family of its tables. */
export const NFT_PROTOCOL: Readonly<Record<Family, 'ip' | 'ip6'>> = { 4: 'ip', 6: 'ip6' }
