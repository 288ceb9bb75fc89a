// EnableNFTables: forwarding and masquerading by nftables tables of our own, as Go's flanneld names them. Pure.
// Invariant: one transaction replaces a table. An accept here does not overrule a drop in iptables or in another table, so
// on a host with Docker the iptables rules of rules.ts stay as well (desiredChains).
import type { Family } from '../../ip/address.ts'
import { type Prefix, overlaps, parsePrefix } from '../../ip/prefix.ts'
import type { TablesKind } from './owned-tables.ts'
import { type FirewallInput, isSharedDevice } from '../iptables/rules.ts'

/** Go's names. */
const NFTABLES_NAME = { 4: 'flannel-ipv4', 6: 'flannel-ipv6' } as const
const FAMILY = { 4: 'ip', 6: 'ip6' } as const
/** What is not masqueraded whoever sends it: multicast, and in IPv6 what stays on a link. */
const UNROUTED = { 4: ['224.0.0.0/4'], 6: ['ff00::/8', 'fe80::/10'] } as const
const NO_NETWORKS: ReadonlySet<string> = new Set(Object.values(UNROUTED).flat())

/**
 * The tables of one family, one per network. `mine` returns the networks that are ours or were; tables of others' networks
 * stay. Only the first network's table has Go's name.
 */
export function forwardTables(family: Family, mine: () => readonly Prefix[]): TablesKind<FirewallInput> {
  return {
    key: ({ network }) => network,
    kind: (place) => ({
      what: `nftables: IPv${family}`,
      consequence: 'no rules for forwarding and masquerading',
      family: FAMILY[family],
      names({ network }) {
        const names = tableNames(family, network)
        return place === 'first' ? names : [names[1]]
      },
      isAnothers: (listing) => isAnothersTable(listing, mine()),
      difference(actual, wanted, name) {
        const text = nftablesTable(wanted, name)
        return actual !== undefined && nftablesTable(actual, name) === text ? '' : text
      },
    }),
  }
}

/** Go's name, and one with the network, for the second network or daemon of a host. */
export function tableNames(family: Family, network: Prefix): readonly [string, string] {
  const name = NFTABLES_NAME[family]
  return [name, `${name}-${network.replaceAll(':', '_')}`]
}

/** Whether a table with a name of ours is another daemon's: it names networks, and none of them overlaps one of `mine`. */
export function isAnothersTable(listing: string, mine: readonly Prefix[]): boolean {
  const named = networksIn(listing)
  return named.length > 0 && !named.some((prefix) => mine.some((own) => overlaps(prefix, own)))
}

/** The networks that a table names. */
export function networksIn(listing: string): readonly Prefix[] {
  const named = Array.from(listing.matchAll(/[\da-f.:]+\/\d+/g), ([text]) => parsePrefix(text))
  return named.filter((prefix) => prefix !== undefined && !NO_NETWORKS.has(prefix)) as Prefix[]
}

/** Text that makes the table hold exactly what is wanted, whatever was in it. */
export function nftablesTable(input: FirewallInput, name: string): string {
  const { family, network, subnet } = input
  const ip = FAMILY[family]
  const table = `${ip} ${name}`
  const forward = input.forward ? chain('forward', 'type filter hook forward priority 0', forwardRules(ip, input)) : []
  const masquerade = `masquerade${input.randomFully ? ' fully-random' : ''}`
  const rules = masqueradeRules(ip, network, subnet, UNROUTED[family], masquerade)
  const postrtg = input.masquerade ? chain('postrtg', 'type nat hook postrouting priority 100', rules) : []
  const lines = [`table ${table} {`, ...forward, ...postrtg, '}']
  return `add table ${table}\ndelete table ${table}\n${lines.join('\n')}\n`
}

function chain(name: string, type: string, rules: readonly string[]): readonly string[] {
  return [`chain ${name} {`, `${type}; policy accept;`, ...rules, '}']
}

/** The rules of FLANNEL-FWD, in its order. */
function forwardRules(
  ip: string,
  { network, subnet, external, masquerade, overlay }: FirewallInput,
): readonly string[] {
  const fromNetwork = `${ip} saddr ${network} accept`
  const toNetwork = `${ip} daddr ${network} accept`
  if (!masquerade) return [fromNetwork, toNetwork]
  const outside = `iifname "${external}" ${ip}`
  const transit = `${outside} daddr ${network} ct state != { established, related } ct status & dnat != dnat drop`
  return [
    `${ip} daddr ${subnet} accept`,
    `${outside} saddr ${subnet} drop`,
    ...(isSharedDevice(overlay, external) ? [fromNetwork, transit] : [transit, fromNetwork]),
    toNetwork,
  ]
}

/** The rules of FLANNEL-POSTRTG, in its order. */
function masqueradeRules(
  ip: string,
  network: Prefix,
  subnet: Prefix,
  unrouted: readonly string[],
  masquerade: string,
): readonly string[] {
  return [
    'meta mark & 0x4000 == 0x4000 return',
    `${ip} saddr ${network} ${ip} daddr ${network} return`,
    `${ip} saddr != ${network} ${ip} daddr ${subnet} return`,
    `${ip} saddr ${network} ${ip} daddr != ${oneOf(unrouted)} ${masquerade}`,
    `${ip} saddr != ${network} ${ip} daddr ${network} fib saddr type local ${masquerade}`,
    `${ip} saddr != ${network} ${ip} daddr ${network} ct status & dnat == dnat ${masquerade}`,
  ]
}

function oneOf(prefixes: readonly string[]): string {
  return prefixes.length === 1 ? prefixes.join() : `{ ${prefixes.join(', ')} }`
}
