// Whether an interface that was found can carry traffic between hosts, and its addresses if so. Pure.
import type { ExternalInterface } from '../backend.ts'
import { type Address, type Family, familyOf, isUnicast } from '../ip/address.ts'
import { inFamily } from '../ip/by-family.ts'
import { type Prefix, addressOf, lengthOf } from '../ip/prefix.ts'
import { VXLAN_OVERHEAD } from '../kernel/flannel-link.ts'
import {
  type InterfaceCandidate,
  type HostLink,
  type HostNetwork,
  addressesOf,
  linkOut,
  usableAddresses,
} from '../kernel/host-network.ts'

/** The operator's options for the interface; names as in Options. */
export interface InterfaceWish {
  /** Names or addresses. */
  readonly iface: readonly string[]
  /** In Go's syntax, known to compile. */
  readonly ifaceRegex: readonly string[]
  readonly ifaceCanReach: Address | undefined
  readonly publicIp: Address | undefined
  readonly publicIpv6: Address | undefined
}

/** The public address that the operator gave for a family. */
export function publicAddressOf({ publicIp, publicIpv6 }: InterfaceWish, family: Family): Address | undefined {
  return inFamily({ ipv4: publicIp, ipv6: publicIpv6 }, family)
}

/** The least a link of a family must carry (RFC 791, RFC 8200). */
const LEAST_MTU: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 }

/** A candidate with its addresses, or why it cannot be used. An address on loopback goes with the interface that packets leave by. */
export function complete(
  host: HostNetwork,
  wish: InterfaceWish,
  family: Family,
  { link, address: wanted }: InterfaceCandidate,
): ExternalInterface | string {
  const name = `interface "${link.name}"`
  // The address that matched an interface may be of the other family: it names the interface only.
  const fixed = wanted !== undefined && familyOf(wanted) === family ? wanted : undefined
  if (fixed !== undefined && !isUnicast(fixed)) return `${name}: ${fixed} cannot be reached from other hosts`
  const address = fixed ?? usableAddresses(host, link, family)[0]
  if (address === undefined) return `${name} has no IPv${family} address other hosts could reach`
  if (!link.up) return `${name} is down`
  const tooSmall = LEAST_MTU[family] + VXLAN_OVERHEAD[family]
  if (link.mtu <= tooSmall) return `${name}: mtu ${link.mtu} is too small: more than ${tooSmall} is needed`
  const out = link.loopback ? linkOut(host, family) : link
  if (out === undefined) return `${name}: ${address} is there, but no route leads to other hosts`
  return {
    family,
    name: out.name,
    index: out.index,
    mtu: out.mtu,
    mac: out.mac,
    address,
    publicAddress: publicAddressOf(wish, family) ?? address,
    onlink: onlinkPrefixes(host, out),
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
