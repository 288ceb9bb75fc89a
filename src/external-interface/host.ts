// A host's links, addresses and routes as plain values, and the questions the choice of an interface asks of them.
import { type Address, type Family, familyOf, isUnicast } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import { type Prefix, contains, lengthOf, prefixOf } from '../ip/prefix.ts'

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
}

/** An address on a device, in the kernel's order: primary before secondary. */
export interface HostAddress {
  readonly index: number
  readonly address: Address
  readonly length: number
  readonly scope: 'global' | 'link' | 'host'
  /** The network reached with it, by a route of the kernel's own; undefined where it makes none. */
  readonly network: Prefix | undefined
}

/** A unicast route of the main table; "0.0.0.0/0" and "::/0" are the defaults. */
export interface HostRoute {
  readonly destination: Prefix
  readonly index: number
  readonly gateway: Address | undefined
  readonly metric: number
}

/** What netlink shows of one network namespace. */
export interface HostNetwork {
  readonly links: readonly HostLink[]
  readonly addresses: readonly HostAddress[]
  readonly routes: readonly HostRoute[]
}

/** An interface that may be taken, with the address it was found by. */
export interface Candidate {
  readonly link: HostLink
  readonly address: Address | undefined
}

/** A route with the link it leads to. */
export interface FoundRoute {
  readonly route: HostRoute
  readonly link: HostLink
}

/** How many interfaces an error lists: a container host may have hundreds. */
const LISTED = 12

/** All addresses of a link. */
export function addressesOf(host: HostNetwork, link: HostLink): readonly HostAddress[] {
  return host.addresses.filter((own) => own.index === link.index)
}

/** Addresses of a link by which other hosts may reach it, link-local IPv4 after all others as in Go. */
export function usableAddresses(host: HostNetwork, link: HostLink, family: Family): readonly Address[] {
  const reachable = addressesOf(host, link).filter(
    (own) => familyOf(own.address) === family && own.scope !== 'host' && isUnicast(own.address),
  )
  const local = (own: HostAddress): boolean => own.scope === 'link' || own.address.startsWith('169.254.')
  return [...reachable.filter((own) => !local(own)), ...reachable.filter(local)].map((own) => own.address)
}

/** The route the kernel would take: the longest prefix, then the lowest metric. */
export function routeTo(host: HostNetwork, target: Address): FoundRoute | undefined {
  const [best] = host.routes
    .filter((route) => contains(route.destination, target))
    .toSorted((a, b) => lengthOf(b.destination) - lengthOf(a.destination) || a.metric - b.metric)
  const link = best && host.links.find((other) => other.index === best.index)
  return best && link && { route: best, link }
}

/** The link's address in the network of the next hop, which is what the kernel sends from; undefined when in none. */
export function sourceFor(host: HostNetwork, { route, link }: FoundRoute, target: Address): Address | undefined {
  const next = route.gateway ?? target
  const usable = new Set(usableAddresses(host, link, familyOf(target)))
  return addressesOf(host, link).find(
    (own) =>
      usable.has(own.address) &&
      familyOf(next) === familyOf(own.address) &&
      contains(prefixOf(own.address, own.length), next),
  )?.address
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
