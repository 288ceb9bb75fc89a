// Which interface carries traffic between hosts, and by which addresses: a pure choice over what netlink shows.
// Order, as in Go: every -iface, every -iface-regex, -iface-can-reach; with none of them the interface that has the
// -public-ip, else the default route's. What cannot be used is passed over; an error says what was tried and what there is.
import type { ExternalInterface } from './backend.ts'
import { OperatorError } from './errors.ts'
import {
  type Candidate,
  type HostLink,
  type HostNetwork,
  addressesOf,
  describeHost,
  routeTo,
  sourceFor,
  usableAddresses,
} from './external-interface/host.ts'
import { compileGoRegex } from './options/go-regex.ts'
import { type Address, type Family, familyOf, isUnicast, parseAddress } from './ip/address.ts'
import { type Prefix, addressOf, lengthOf } from './ip/prefix.ts'

export type { HostAddress, HostLink, HostNetwork, HostRoute } from './external-interface/host.ts'

/** What the operator said about the interface; the names are those of Options. */
export interface InterfaceWish {
  /** Names or addresses. */
  readonly iface: readonly string[]
  /** In Go's syntax, known to compile. */
  readonly ifaceRegex: readonly string[]
  readonly ifaceCanReach: Address | undefined
  readonly publicIp: Address | undefined
  readonly publicIpv6: Address | undefined
}

/** Outer header of VXLAN over IPv4 (RFC 7348): 14 Ethernet, 20 IP, 8 UDP, 8 VXLAN. */
const VXLAN_OVERHEAD = 50
/** The least an IPv4 link must carry (RFC 791). */
const LEAST_MTU = 68

/** The interface for outer packets of `family`, or why there is none: an error to print, or to wait on and try again. */
export function chooseExternalInterface(
  host: HostNetwork,
  wish: InterfaceWish,
  family: Family,
): ExternalInterface | OperatorError {
  const reasons: string[] = []
  for (const look of lookups(host, wish, family)) {
    const candidates = look()
    if (typeof candidates === 'string') {
      reasons.push(candidates)
      continue
    }
    for (const candidate of candidates) {
      const chosen = complete(host, wish, family, candidate)
      if (typeof chosen !== 'string') return chosen
      reasons.push(chosen)
    }
  }
  return new OperatorError(`${[...new Set(reasons)].join('; ')}: this host has ${describeHost(host, family)}`)
}

/** Candidates in order, or why there is none. */
type Lookup = () => readonly Candidate[] | string

function lookups(host: HostNetwork, wish: InterfaceWish, family: Family): readonly Lookup[] {
  const reach = wish.ifaceCanReach
  const asked: readonly Lookup[] = [
    ...wish.iface.map((text) => () => byNameOrAddress(host, text)),
    ...wish.ifaceRegex.map((text) => () => byRegex(host, text, family)),
    ...(reach === undefined ? [] : [() => byRoute(host, reach)]),
  ]
  if (asked.length > 0) return asked
  const own = family === 4 ? wish.publicIp : wish.publicIpv6
  return [() => (own === undefined ? [] : withAddress(host, own)), () => byDefaultRoute(host, family)]
}

function byNameOrAddress(host: HostNetwork, text: string): readonly Candidate[] | string {
  const address = parseAddress(text)
  if (address !== undefined) {
    const found = withAddress(host, address)
    return found.length > 0 ? found : `-iface: no interface has the address ${address}`
  }
  const found = host.links.filter((link) => link.name === text)
  return found.length > 0 ? found.map((link) => ({ link, address: undefined })) : `-iface: no interface "${text}"`
}

/** Addresses are matched first, over all interfaces, then names: as in Go. */
function byRegex(host: HostNetwork, text: string, family: Family): readonly Candidate[] | string {
  const regex = compileGoRegex(text)
  // Our own device carries an address of the overlay, which a loose expression would match after a restart.
  const links = host.links.filter((link) => !/^flannel[.-]/.test(link.name))
  const byAddress = links.flatMap((link) =>
    usableAddresses(host, link, family)
      .filter((address) => regex.test(address))
      .map((address) => ({ link, address })),
  )
  const byName = links.filter((link) => regex.test(link.name)).map((link) => ({ link, address: undefined }))
  const found = [...byAddress, ...byName]
  return found.length > 0 ? found : `-iface-regex: no interface matches the expression "${text}"`
}

function byRoute(host: HostNetwork, target: Address): readonly Candidate[] | string {
  const own = withAddress(host, target)
  if (own.length > 0) return own
  const found = routeTo(host, target)
  if (found === undefined) return `-iface-can-reach: no route to ${target}`
  return [{ link: found.link, address: sourceFor(host, found, target) }]
}

function byDefaultRoute(host: HostNetwork, family: Family): readonly Candidate[] | string {
  const found = host.routes
    .filter((route) => lengthOf(route.destination) === 0 && familyOf(addressOf(route.destination)) === family)
    .toSorted((a, b) => a.metric - b.metric)
    .flatMap((route) => host.links.filter((link) => link.index === route.index))
  if (found.length > 0) return found.map((link) => ({ link, address: undefined }))
  return `no default route for IPv${family}: name the interface between the hosts with -iface`
}

function withAddress(host: HostNetwork, address: Address): readonly Candidate[] {
  return host.links
    .filter((link) => addressesOf(host, link).some((own) => own.address === address))
    .map((link) => ({ link, address }))
}

/** A candidate with its addresses, or why it cannot be used. */
function complete(
  host: HostNetwork,
  wish: InterfaceWish,
  family: Family,
  { link, address: wanted }: Candidate,
): ExternalInterface | string {
  const name = `interface "${link.name}"`
  const other: Family = family === 4 ? 6 : 4
  // The address by which an interface was found may be of the other family: it names the interface only.
  const fixed = wanted !== undefined && familyOf(wanted) === family ? wanted : undefined
  if (fixed !== undefined && !isUnicast(fixed)) return `${name}: ${fixed} cannot be reached from other hosts`
  const address = fixed ?? usableAddresses(host, link, family)[0]
  if (address === undefined) return `${name} has no IPv${family} address other hosts could reach`
  if (!link.up) return `${name} is down`
  if (link.mtu <= VXLAN_OVERHEAD + LEAST_MTU) {
    return `${name}: mtu ${link.mtu} is too small: more than ${VXLAN_OVERHEAD + LEAST_MTU} is needed`
  }
  const second = wanted !== undefined && familyOf(wanted) === other ? wanted : usableAddresses(host, link, other)[0]
  const address6 = family === 6 ? address : second
  return {
    name: link.name,
    index: link.index,
    mtu: link.mtu,
    mac: link.mac,
    address,
    address6,
    publicAddress: (family === 4 ? wish.publicIp : wish.publicIpv6) ?? address,
    publicAddress6: wish.publicIpv6 ?? address6,
    onlink: onlinkPrefixes(host, link),
  }
}

/**
 * Prefixes reached on a link without a gateway, as its addresses and routes say; a default route says nothing about
 * neighbours. The addresses alone where routes are gone for a moment: what leads over them is no reason to let peers go.
 */
function onlinkPrefixes(host: HostNetwork, link: HostLink): readonly Prefix[] {
  const byAddress = addressesOf(host, link).flatMap(({ network }) => network ?? [])
  const byRoute = host.routes
    .filter((route) => route.index === link.index && route.gateway === undefined)
    .map((route) => route.destination)
  const found = [...byAddress, ...byRoute].filter((prefix) => lengthOf(prefix) > 0 && isUnicast(addressOf(prefix)))
  return [...new Set(found)].toSorted()
}
