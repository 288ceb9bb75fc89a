// The nftables table that lets only peers send to our VXLAN port, and only this host to theirs, as text for `nft -f -`. Pure.
// Invariant: each text is one transaction; while the table is being replaced, no packet meets a part of it.
import { type Address, type Family, familyOf } from '../../ip/address.ts'
import { FAMILIES } from '../../ip/by-family.ts'
import { type Prefix, addressOf } from '../../ip/prefix.ts'
import type { ElementChange } from './elements.ts'

/** What a guard guards in one address family. */
interface GuardedFamily {
  /** The VXLAN device. */
  readonly device: string
  /** The network of the containers: they are no senders of VXLAN. */
  readonly network: Prefix
  /** Addresses that peers know this host by: only its own datagrams leave with them. */
  readonly own: readonly Address[]
}

/** What a guard guards. */
export interface GuardedPort {
  /** UDP port of the VXLAN device. */
  readonly port: number
  readonly vni: number
  /** Where devices being removed still receive: guarded too. */
  readonly leaving?: readonly { readonly port: number; readonly vni: number }[]
  /** What it guards in each address family. */
  readonly families: readonly GuardedFamily[]
  /** Further senders, by option. */
  readonly allowed: readonly Prefix[]
}

/** Elements of one nft line: long lines cost memory in nft's parser, many lines cost time. */
const ELEMENTS_PER_LINE = 2000

/** The prefix of guards' names. */
export const GUARD_PREFIX = 'flannel-guard-'

/** A VXLAN port and its VNI. */
type Port = Pick<GuardedPort, 'port' | 'vni'>

const NFT_FAMILIES = [
  { set: 4, ip: 'ip', type: 'ipv4_addr' },
  { set: 6, ip: 'ip6', type: 'ipv6_addr' },
] as const

/** Senders of dropped packets, forged ones included: at most 64 at a time, for an hour after the last packet. */
const STRANGERS = (type: string): string => `{ type ${type}; size 64; flags dynamic,timeout; timeout 1h; }`

/** The set that keeps them. */
export function strangersSet(family: Family): string {
  return `strangers${family}`
}

/** The name of our table, in family inet. */
export function guardTable(vni: number): string {
  return `${GUARD_PREFIX}${vni}`
}

/**
 * Makes the table hold exactly these rules and peers, whatever was in it; its counters keep their values.
 *
 * What comes in is looked at in the chain at input: there fragments have been put together. Ahead of every accept a host
 * firewall may have (priority raw); to drop is final in nftables. Datagrams for another VNI are left to the process that serves it:
 * bytes 4..6 of the VXLAN header (RFC 7348), 96 bits after the start of UDP's. Too short to have a VNI, a datagram does
 * not match, and the kernel's VXLAN drops it.
 *
 * Peers let in whatever has our address, so what is only forwarded must not leave as ours:
 * - at forward, ahead of masquerading, a container's own datagrams (not those from container to container: a network in the
 *   network), and those with a peer's address from where that peer is not;
 * - at postrouting, behind it (priority 200), what came in by a device and has got our address: containers of Docker's other
 *   networks, answers of published ports. What the VXLAN device wraps comes from that device, and what a program of the host
 *   sends from none. The incoming device is known there from Linux 5.7 on.
 */
export function replaceGuard(guarded: GuardedPort, peers: Iterable<Address>): string {
  const { port, vni, families, allowed } = guarded
  const table = `inet ${guardTable(vni)}`
  const chain = (name: string, priority: number): readonly string[] => [
    `add chain ${table} ${name} { type filter hook ${name} priority ${priority}; policy accept; }`,
    `flush chain ${table} ${name}`,
  ]
  const add = (name: string, match: string, to: Port = { port, vni }): string =>
    `add rule ${table} ${name} udp dport ${to.port} @th,96,24 ${to.vni} ${match}`
  const rule = (name: string, match: string, counter: string, to?: Port): string =>
    add(name, `${match} counter name ${counter} drop`, to)
  const incoming = (to: Port): readonly string[] => [
    ...allowed.map((prefix) => add('input', `${ipOf(addressOf(prefix))} saddr ${prefix} accept`, to)),
    // A rule of its own, since a full set ends the rule it is in.
    ...NFT_FAMILIES.map(({ set, ip: of }) =>
      add('input', `${of} saddr != @peers${set} update @${strangersSet(set)} { ${of} saddr counter }`, to),
    ),
    ...NFT_FAMILIES.map(({ set, ip: of }) => rule('input', `${of} saddr != @peers${set}`, 'dropped', to)),
  ]
  return [
    `add table ${table}`,
    `add counter ${table} dropped`,
    `add counter ${table} forwarded`,
    `add set ${table} peers4 { type ipv4_addr; }`,
    `add set ${table} peers6 { type ipv6_addr; }`,
    ...NFT_FAMILIES.map(({ set, type }) => `add set ${table} ${strangersSet(set)} ${STRANGERS(type)}`),
    ...chain('input', -300),
    ...chain('forward', -300),
    ...chain('postrouting', 200),
    `flush set ${table} peers4`,
    `flush set ${table} peers6`,
    ...[{ port, vni }, ...(guarded.leaving ?? [])].flatMap(incoming),
    ...families.map(({ network }) => {
      const ip = ipOf(addressOf(network))
      return rule('forward', `${ip} saddr ${network} ${ip} daddr != ${network}`, 'forwarded')
    }),
    rule('forward', 'ip saddr @peers4 fib saddr . iif oif 0', 'forwarded'),
    rule('forward', 'ip6 saddr @peers6 fib saddr . iif oif 0', 'forwarded'),
    ...families.flatMap(({ device, own }) =>
      own.map((address) =>
        rule('postrouting', `iif != 0 iifname != "${device}" ${ipOf(address)} saddr ${address}`, 'forwarded'),
      ),
    ),
    ...elements(vni, peers),
    '',
  ].join('\n')
}

/**
 * The same for a kernel whose nftables asks no routes (nft_fib) or fills no sets by itself: a peer's address is believed
 * wherever it comes from, and whose packets were dropped is not known.
 */
export function plainGuard(text: string): string {
  const lines = text.split('\n')
  return lines.filter((line) => !/ fib | strangers|@strangers/.test(line)).join('\n')
}

function ipOf(address: Address): 'ip' | 'ip6' {
  return familyOf(address) === 4 ? 'ip' : 'ip6'
}

/** Lets peers in or shuts them out. Every one of `added` must be absent, of `removed` present. */
export function changePeers(added: readonly Address[], removed: readonly Address[]): readonly ElementChange[] {
  const changes = (verb: ElementChange['verb'], addresses: readonly Address[]): readonly ElementChange[] =>
    FAMILIES.flatMap((family) => {
      const some = addresses.filter((address) => familyOf(address) === family)
      return some.length === 0 ? [] : [{ verb, set: `peers${family}`, addresses: some }]
    })
  return [...changes('add', added), ...changes('delete', removed)]
}

function elements(vni: number, addresses: Iterable<Address>): readonly string[] {
  const all = [...addresses]
  return FAMILIES.flatMap((family) => {
    const some = all.filter((address) => familyOf(address) === family)
    const lines: string[] = []
    for (let at = 0; at < some.length; at += ELEMENTS_PER_LINE) {
      const list = some.slice(at, at + ELEMENTS_PER_LINE).join(', ')
      lines.push(`add element inet ${guardTable(vni)} peers${family} { ${list} }`)
    }
    return lines
  })
}
