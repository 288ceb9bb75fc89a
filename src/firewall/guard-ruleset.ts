// The nftables table that lets only peers send to our VXLAN port, as text for `nft -f -`. Pure.
// Invariant: each text is one transaction; while the table is being replaced no packet meets half of it.
import { type Address, familyOf } from '../ip/address.ts'
import type { ElementChange } from './elements.ts'

/** What a guard guards. */
export interface GuardedPort {
  /** UDP port of the VXLAN device. */
  readonly port: number
  readonly vni: number
}

/** Elements of one nft line: long lines cost memory in nft's parser, many lines cost time. */
const ELEMENTS_PER_LINE = 2000

/** How the names of guards begin. */
export const GUARD_PREFIX = 'flannel-guard-'

/** The name of our table, in family inet. */
export function guardTable(vni: number): string {
  return `${GUARD_PREFIX}${vni}`
}

/**
 * Makes the table hold exactly these rules and peers, whatever was in it; its counter goes on counting.
 *
 * The chain is at input: there fragments have been put together, and what is routed through to others is not our
 * business. Ahead of every accept a host firewall may have (priority raw); to drop is final in nftables.
 * Datagrams for another VNI are left to whoever serves that: bytes 4..6 of the VXLAN header (RFC 7348), 96 bits after
 * the beginning of UDP's. Too short to have a VNI, a datagram does not match, and the kernel's VXLAN drops it.
 */
export function replaceGuard({ port, vni }: GuardedPort, peers: Iterable<Address>): string {
  const table = `inet ${guardTable(vni)}`
  const ours = `udp dport ${port} @th,96,24 ${vni}`
  return [
    `add table ${table}`,
    `add counter ${table} dropped`,
    `add set ${table} peers4 { type ipv4_addr; }`,
    `add set ${table} peers6 { type ipv6_addr; }`,
    `add chain ${table} input { type filter hook input priority -300; policy accept; }`,
    `flush chain ${table} input`,
    `flush set ${table} peers4`,
    `flush set ${table} peers6`,
    `add rule ${table} input ${ours} ip saddr != @peers4 counter name dropped drop`,
    `add rule ${table} input ${ours} ip6 saddr != @peers6 counter name dropped drop`,
    ...elements(vni, peers),
    '',
  ].join('\n')
}

/** Lets peers in or shuts them out. Every one of `added` must be absent, of `removed` present. */
export function changePeers(added: readonly Address[], removed: readonly Address[]): readonly ElementChange[] {
  const changes = (verb: ElementChange['verb'], addresses: readonly Address[]): readonly ElementChange[] =>
    ([4, 6] as const).flatMap((family) => {
      const some = addresses.filter((address) => familyOf(address) === family)
      return some.length === 0 ? [] : [{ verb, set: `peers${family}`, addresses: some }]
    })
  return [...changes('add', added), ...changes('delete', removed)]
}

function elements(vni: number, addresses: Iterable<Address>): readonly string[] {
  const all = [...addresses]
  return ([4, 6] as const).flatMap((family) => {
    const some = all.filter((address) => familyOf(address) === family)
    const lines: string[] = []
    for (let at = 0; at < some.length; at += ELEMENTS_PER_LINE) {
      const list = some.slice(at, at + ELEMENTS_PER_LINE).join(', ')
      lines.push(`add element inet ${guardTable(vni)} peers${family} { ${list} }`)
    }
    return lines
  })
}
