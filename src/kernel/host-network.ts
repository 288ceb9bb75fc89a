// A host's links, addresses and routes as plain values, and the questions the choice of an interface asks of them.
import { type Address, type Family, familyOf, isUnicast } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import { type Prefix, lengthOf } from '../ip/prefix.ts'

/** A network device. */
export interface HostLink {
  readonly index: number
  readonly name: string
  /** Bytes of an IP packet. */
  readonly mtu: number
  /** Undefined on devices without one, such as tunnels. */
  readonly mac: Mac | undefined
  /** Set up by the administrator (IFF_UP); says nothing about the carrier. */
  readonly up: boolean
  /** Something is at the other end (IFF_LOWER_UP). */
  readonly carrier: boolean
  readonly loopback: boolean
  /** Index of the bridge or bond it is a port of; 0 for none. */
  readonly master: number
  /** Kind as ip-link(8) names it: "vxlan", "bridge", "veth"; empty for hardware. */
  readonly kind: string
}

/** An address on a device, in the kernel's order: primary before secondary. */
export interface HostAddress {
  readonly index: number
  readonly address: Address
  readonly length: number
  readonly scope: 'global' | 'link' | 'host'
  /** The network reached with it, by a route of the kernel's own; undefined where it makes none. */
  readonly network: Prefix | undefined
  /** Whether it has a lifetime, as one from a router advertisement has. */
  readonly dynamic?: true
  /** Whether it is one that this host is not to be known by, as a temporary IPv6 address. */
  readonly fleeting?: true
}

/** A hop of a unicast route of the main table; "0.0.0.0/0" and "::/0" are the defaults. A multipath route is several. */
export interface HostRoute {
  readonly destination: Prefix
  readonly index: number
  readonly gateway: Address | undefined
  readonly metric: number
  /** Whether its device is up and has a carrier, as the kernel marks it. */
  readonly live: boolean
  /** Whether it came with a router advertisement. */
  readonly announced?: true
}

/** Where the kernel sends packets to an address: by which device, from which of our addresses. */
export interface RouteAnswer {
  readonly index: number
  readonly source: Address | undefined
}

/** A question put to the kernel and its answer, or why there is none: "ENETUNREACH". */
export type AskedRoutes = ReadonlyMap<Address, RouteAnswer | string>

/** What netlink shows of one network namespace. */
export interface HostNetwork {
  readonly links: readonly HostLink[]
  readonly addresses: readonly HostAddress[]
  readonly routes: readonly HostRoute[]
  /** What the kernel answered to the questions of `questionsOf`, by the address asked for. */
  readonly asked: AskedRoutes
}

/** An interface that may be taken, with the address it was found by. */
export interface InterfaceCandidate {
  readonly link: HostLink
  readonly address: Address | undefined
}

/** An interface and its address that were used before: by this process (`used`), or by what our lease says. */
export interface Place {
  readonly name: string
  readonly address: Address
  readonly used: boolean
}

/** Documentation addresses (RFC 5737, RFC 3849): the kernel's route to them is its default route. */
export const ELSEWHERE: Readonly<Record<Family, Address>> = { 4: '192.0.2.1' as Address, 6: '2001:db8::1' as Address }

/** The questions to put to the kernel for a choice of the interface. */
export function questionsOf({ ifaceCanReach }: { readonly ifaceCanReach: Address | undefined }): readonly Address[] {
  return [ELSEWHERE[4], ELSEWHERE[6], ...(ifaceCanReach === undefined ? [] : [ifaceCanReach])]
}

/** Flannel's own devices, ours and Go's, of any backend. A card or a bridge with such a name is none. */
export function isOverlayDevice({ name, kind }: Pick<HostLink, 'name' | 'kind'>): boolean {
  return kind !== '' && kind !== 'bridge' && kind !== 'vlan' && kind !== 'bond' && /^flannel/.test(name)
}

/** How many interfaces an error lists: a container host may have hundreds. */
const LISTED = 12

/** All addresses of a link. */
export function addressesOf(host: HostNetwork, link: HostLink): readonly HostAddress[] {
  return host.addresses.filter((own) => own.index === link.index)
}

/** Addresses of a link by which other hosts may reach it, link-local IPv4 after all others as in Go, and fleeting ones too. */
export function usableAddresses(host: HostNetwork, link: HostLink, family: Family): readonly Address[] {
  const reachable = addressesOf(host, link).filter(
    (own) => familyOf(own.address) === family && own.scope !== 'host' && isUnicast(own.address),
  )
  const last = (own: HostAddress): boolean =>
    own.fleeting === true || own.scope === 'link' || own.address.startsWith('169.254.')
  return [...reachable.filter((own) => !last(own)), ...reachable.filter(last)].map((own) => own.address)
}

/** Where packets to other hosts leave: by the kernel's answer, else by a default route, else by any route with a gateway. */
export function linkOut(host: HostNetwork, family: Family): HostLink | undefined {
  const answer = host.asked.get(ELSEWHERE[family])
  const routes = host.routes
    .filter((route) => route.live && route.gateway !== undefined && familyOf(route.gateway) === family)
    .toSorted((a, b) => lengthOf(a.destination) - lengthOf(b.destination) || a.metric - b.metric)
  const indexes = [...(typeof answer === 'object' ? [answer.index] : []), ...routes.map(({ index }) => index)]
  return indexes
    .flatMap((index) => host.links.filter((link) => link.index === index))
    .find((link) => link.up && !link.loopback)
}

/** `lo, enp0s3 (192.168.19.121)`: the interfaces for a message. */
export function describeHost(host: HostNetwork, family: Family): string {
  if (host.links.length === 0) return 'no interfaces'
  const names = host.links.slice(0, LISTED).map((link) => {
    const notes = [...usableAddresses(host, link, family), ...(link.up ? [] : ['down'])]
    return notes.length === 0 ? link.name : `${link.name} (${notes.join(' ')})`
  })
  const more = host.links.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
