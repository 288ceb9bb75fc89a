// The nftables table that lets only peers send to the devices of the overlay, and only this host to theirs, as text for
// `nft -f -`. Pure. Invariant: each text is one transaction; while the table is being replaced, no packet meets a part of it.
import { type Address, type Family, familyOf } from '../../ip/address.ts'
import { FAMILIES } from '../../ip/by-family.ts'
import { type Prefix, addressOf } from '../../ip/prefix.ts'
import { type Arrival, guardTable, matchOf, sameArrival } from './arrival.ts'
import type { ElementChange } from './elements.ts'

/** A device that peers send to, in one address family. */
export interface GuardedDevice {
  readonly arrival: Arrival
  readonly device: string
  /** The network of the containers, of the family of the outer packets: they send none of those. */
  readonly network: Prefix
  /** Addresses that peers know this host by: only its own packets leave with them. */
  readonly own: readonly Address[]
}

/** What a guard guards. */
export interface Guarded {
  /** The first names the guard. */
  readonly devices: readonly [GuardedDevice, ...GuardedDevice[]]
  /** Where devices being removed still receive: guarded too. */
  readonly leaving?: readonly Arrival[]
  /** Further senders, by option. */
  readonly allowed: readonly Prefix[]
}

/** Elements of one nft line: long lines cost memory in nft's parser, many lines cost time. */
const ELEMENTS_PER_LINE = 2000

const NFT: Readonly<Record<Family, { readonly ip: 'ip' | 'ip6'; readonly type: string }>> = {
  4: { ip: 'ip', type: 'ipv4_addr' },
  6: { ip: 'ip6', type: 'ipv6_addr' },
}

/** Senders of dropped packets, forged ones included: at most 64 at a time, for an hour after the last packet. */
const STRANGERS = (type: string): string => `{ type ${type}; size 64; flags dynamic,timeout; timeout 1h; }`

/** The set that keeps them. */
export function strangersSet(family: Family): string {
  return `strangers${family}`
}

/** The set of peers' addresses. */
export function peersSet(family: Family): string {
  return `peers${family}`
}

/** The name of the table. */
export function tableOf({ devices }: Pick<Guarded, 'devices'>): string {
  return guardTable(devices[0].arrival)
}

/**
 * Makes the table hold exactly these rules and peers, whatever was in it; its counters keep their values.
 *
 * What comes in is looked at in the chain at input: there IPv4's fragments have been put together. Ahead of every accept a host
 * firewall may have (priority raw); to drop is final in nftables. Datagrams for another VNI are left to the process that serves it.
 *
 * Peers let in whatever has our address, so what is only forwarded must not leave as ours:
 * - at forward, ahead of masquerading, a container's own packets (not those from container to container: a network in the
 *   network), and those with a peer's address from where that peer is not;
 * - at postrouting, behind it (priority 200), what came in by a device and has got our address: containers of Docker's other
 *   networks, answers of published ports. What a device of the overlay wraps comes from that device, and what a program of the
 *   host sends from none. The incoming device is known there from Linux 5.7 on.
 */
export function replaceGuard(guarded: Guarded, peers: Iterable<Address>): string {
  const table = `inet ${tableOf(guarded)}`
  const chain = (name: string, priority: number): readonly string[] => [
    `add chain ${table} ${name} { type filter hook ${name} priority ${priority}; policy accept; }`,
    `flush chain ${table} ${name}`,
  ]
  const add =
    (chain: string) =>
    (rule: string): string =>
      `add rule ${table} ${chain} ${rule}`
  const arrivals = arrivalsOf(guarded)
  return [
    `add table ${table}`,
    `add counter ${table} dropped`,
    `add counter ${table} forwarded`,
    ...FAMILIES.map((family) => `add set ${table} ${peersSet(family)} { type ${NFT[family].type}; }`),
    ...FAMILIES.map((family) => `add set ${table} ${strangersSet(family)} ${STRANGERS(NFT[family].type)}`),
    ...chain('input', -300),
    ...chain('forward', -300),
    ...chain('postrouting', 200),
    ...FAMILIES.map((family) => `flush set ${table} ${peersSet(family)}`),
    ...arrivals.flatMap((one) => inputRules(one, guarded.allowed)).map(add('input')),
    ...shortRules(arrivals).map(add('input')),
    ...forwardRules(guarded).map(add('forward')),
    ...guarded.devices.flatMap(postroutingRules).map(add('postrouting')),
    ...elements(table, peers),
    '',
  ].join('\n')
}

/** An arrival with the families its packets come in. */
interface Arriving {
  readonly arrival: Arrival
  readonly families: readonly Family[]
}

/** Each arrival once, those that are leaving last: of those the family is not known. */
function arrivalsOf({ devices, leaving = [] }: Guarded): readonly Arriving[] {
  const all = [...devices.map(({ arrival }) => arrival), ...leaving]
  const once = all.filter((one, i) => all.findIndex((other) => sameArrival(one, other)) === i)
  return once.map((arrival) => ({
    arrival,
    families: leaving.some((one) => sameArrival(one, arrival))
      ? FAMILIES
      : FAMILIES.filter((family) =>
          devices.some((one) => sameArrival(one.arrival, arrival) && outerFamily(one) === family),
        ),
  }))
}

/** The family of a device's outer packets. */
function outerFamily({ network }: GuardedDevice): Family {
  return familyOf(addressOf(network))
}

function inputRules({ arrival, families }: Arriving, allowed: readonly Prefix[]): readonly string[] {
  const match = matchOf(arrival)
  return [
    ...allowed
      .filter((prefix) => families.includes(familyOf(addressOf(prefix))))
      .map((prefix) => `${match} ${NFT[familyOf(addressOf(prefix))].ip} saddr ${prefix} accept`),
    // A rule of its own, since a full set ends the rule it is in.
    ...families.map((family) => {
      const { ip } = NFT[family]
      return `${match} ${stranger(family)} update @${strangersSet(family)} { ${ip} saddr counter }`
    }),
    ...families.map((family) => `${match} ${stranger(family)} counter name dropped drop`),
  ]
}

/**
 * IPv6 puts fragments together behind the chain at input, unless connections are tracked: a first fragment may end ahead of the
 * VNI. What has none to look at is let in from peers alone; the kernel's VXLAN takes in no complete datagram so short.
 */
function shortRules(arrivals: readonly Arriving[]): readonly string[] {
  const ports = new Map<number, number>()
  for (const { arrival, families } of arrivals)
    if (arrival.type === 'vxlan' && families.includes(6) && !ports.has(arrival.port))
      ports.set(arrival.port, arrival.vni)
  return [...ports].flatMap(([port, vni]) => [
    // Others' VNIs; those of ours were judged above.
    `${stranger(6)} udp dport ${port} @th,96,24 != ${vni} return`,
    `${stranger(6)} udp dport ${port} counter name dropped drop`,
  ])
}

function stranger(family: Family): string {
  return `${NFT[family].ip} saddr != @${peersSet(family)}`
}

function forwardRules({ devices }: Guarded): readonly string[] {
  const drop = (match: string): string => `${match} counter name forwarded drop`
  return [
    ...devices.map((one) => {
      const { ip } = NFT[outerFamily(one)]
      return drop(`${matchOf(one.arrival)} ${ip} saddr ${one.network} ${ip} daddr != ${one.network}`)
    }),
    ...devices.map((one) => {
      const family = outerFamily(one)
      return drop(`${matchOf(one.arrival)} ${NFT[family].ip} saddr @${peersSet(family)} fib saddr . iif oif 0`)
    }),
  ]
}

function postroutingRules({ arrival, device, own }: GuardedDevice): readonly string[] {
  return own.map((address) => {
    const from = `iif != 0 iifname != "${device}" ${NFT[familyOf(address)].ip} saddr ${address}`
    return `${matchOf(arrival)} ${from} counter name forwarded drop`
  })
}

/**
 * The same for a kernel whose nftables asks no routes (nft_fib) or fills no sets by itself: a peer's address is believed
 * wherever it comes from, and whose packets were dropped is not known.
 */
export function plainGuard(text: string): string {
  const lines = text.split('\n')
  return lines.filter((line) => !/ fib | strangers|@strangers/.test(line)).join('\n')
}

/** Lets peers in or shuts them out. Every one of `added` must be absent, of `removed` present. */
export function changePeers(added: readonly Address[], removed: readonly Address[]): readonly ElementChange[] {
  const changes = (verb: ElementChange['verb'], addresses: readonly Address[]): readonly ElementChange[] =>
    FAMILIES.flatMap((family) => {
      const some = addresses.filter((address) => familyOf(address) === family)
      return some.length === 0 ? [] : [{ verb, set: peersSet(family), addresses: some }]
    })
  return [...changes('add', added), ...changes('delete', removed)]
}

function elements(table: string, addresses: Iterable<Address>): readonly string[] {
  const all = [...addresses]
  return FAMILIES.flatMap((family) => {
    const some = all.filter((address) => familyOf(address) === family)
    const lines: string[] = []
    for (let at = 0; at < some.length; at += ELEMENTS_PER_LINE) {
      const list = some.slice(at, at + ELEMENTS_PER_LINE).join(', ')
      lines.push(`add element ${table} ${peersSet(family)} { ${list} }`)
    }
    return lines
  })
}
