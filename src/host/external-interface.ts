// Which interface carries traffic between hosts, and with which addresses: a pure choice over what netlink shows.
// Order, as in Go: every -iface, every -iface-regex, -iface-can-reach; with none of them the interface that has the
// -public-ip, else the default route's. What cannot be used is passed over; an error says what was tried and what there is.
import type { ExternalInterface } from '../backend.ts'
import { OperatorError } from '../errors.ts'
import {
  type InterfaceCandidate,
  type HostLink,
  type HostNetwork,
  addressesOf,
  ELSEWHERE,
  type Place,
  describeHost,
  isOverlayDevice,
  usableAddresses,
} from '../kernel/host-network.ts'
import { type InterfaceWish, complete, publicAddressOf } from './interface-candidate.ts'
import { compileGoRegex } from '../options/go-regex.ts'
import { type Address, type Family, familyOf, parseAddress } from '../ip/address.ts'
import { addressOf, lengthOf } from '../ip/prefix.ts'

/**
 * The interface for outer packets of `family`, or why there is none: an error to print, or to wait on and try again. Where the
 * wish leaves a choice, a place of `remembered` is taken before any other, the first one first.
 */
export function chooseExternalInterface(
  host: HostNetwork,
  wish: InterfaceWish,
  family: Family,
  remembered: readonly Place[] = [],
): ExternalInterface | OperatorError {
  const reasons: string[] = []
  for (const lookup of lookupsOf(host, wish, family)) {
    const candidates = lookup.candidates()
    const places = remembered.flatMap((place) => atPlace(host, place, lookup))
    if (typeof candidates === 'string') reasons.push(candidates)
    for (const candidate of [...places, ...(typeof candidates === 'string' ? [] : candidates)]) {
      const chosen = complete(host, wish, family, candidate)
      if (typeof chosen !== 'string') return chosen
      reasons.push(chosen)
    }
  }
  return new OperatorError(`${[...new Set(reasons)].join('; ')}: this host has ${describeHost(host, family)}`)
}

/** Every interface and address that the wish leaves a choice of, the one chosen without memory first. */
export function alternatives(host: HostNetwork, wish: InterfaceWish, family: Family): readonly ExternalInterface[] {
  const chosen = chooseExternalInterface(host, wish, family)
  if (chosen instanceof OperatorError) return []
  const places = host.links.flatMap((link) =>
    usableAddresses(host, link, family).map((address) => ({ name: link.name, address, used: false })),
  )
  const others = places.flatMap((place) => {
    const other = chooseExternalInterface(host, wish, family, [place])
    return other instanceof OperatorError || other.address !== place.address ? [] : [other]
  })
  return [chosen, ...others.filter(({ address }) => address !== chosen.address)]
}

/** Whether an interface still has its address, is up, and can be used. */
export function isUsable(host: HostNetwork, wish: InterfaceWish, { name, address }: Place): boolean {
  const found = withAddress(host, address).map((candidate) => complete(host, wish, familyOf(address), candidate))
  return found.some((one) => typeof one !== 'string' && one.name === name)
}

/** Where a place of before is now: its own interface first, then whatever else got its address, say a bridge over it. */
function atPlace(host: HostNetwork, place: Place, lookup: Lookup): readonly InterfaceCandidate[] {
  const found = withAddress(host, place.address).filter(({ link }) => lookup.admits(link, place))
  return found.toSorted((a, b) => Number(b.link.name === place.name) - Number(a.link.name === place.name))
}

/** How interfaces are looked for. */
interface Lookup {
  /** In order, or why there is none. */
  candidates(): readonly InterfaceCandidate[] | string
  /** Whether a place of before, found on this link, is within the wish as well. */
  admits(link: HostLink, place: Place): boolean
}

function lookupsOf(host: HostNetwork, wish: InterfaceWish, family: Family): readonly Lookup[] {
  const reach = wish.ifaceCanReach
  const asked: readonly Lookup[] = [
    ...wish.iface.map((text) => byNameOrAddress(host, text)),
    ...wish.ifaceRegex.map((text) => byRegex(host, text, family)),
    ...(reach === undefined ? [] : [byRoute(host, reach)]),
  ]
  if (asked.length > 0) return asked
  const own = publicAddressOf(wish, family)
  const published: Lookup = {
    candidates: () => (own === undefined ? [] : withAddress(host, own)),
    admits: (_link, { address }) => address === own,
  }
  return [published, byDefaultRoute(host, family)]
}

function byNameOrAddress(host: HostNetwork, text: string): Lookup {
  const wanted = parseAddress(text)
  if (wanted !== undefined) {
    const found = withAddress(host, wanted)
    return {
      candidates: () => (found.length > 0 ? found : `-iface: no interface has the address ${wanted}`),
      admits: (_link, { address }) => address === wanted,
    }
  }
  const found = host.links.filter((link) => link.name === text)
  return {
    candidates: () =>
      found.length > 0 ? found.map((link) => ({ link, address: undefined })) : `-iface: no interface "${text}"`,
    admits: (link) => link.name === text,
  }
}

/** Addresses are matched first, over all interfaces, then names: as in Go. */
function byRegex(host: HostNetwork, text: string, family: Family): Lookup {
  const regex = compileGoRegex(text)
  // Our own device carries an address of the overlay, which a loose expression would match after a restart.
  const links = host.links.filter((link) => !isOverlayDevice(link))
  const byAddress = links.flatMap((link) =>
    usableAddresses(host, link, family)
      .filter((address) => regex.test(address))
      .map((address) => ({ link, address })),
  )
  const byName = links.filter((link) => regex.test(link.name)).map((link) => ({ link, address: undefined }))
  const found = [...byAddress, ...byName]
  return {
    candidates: () => (found.length > 0 ? found : `-iface-regex: no interface matches the expression "${text}"`),
    admits: (link, { address }) => !isOverlayDevice(link) && (regex.test(address) || regex.test(link.name)),
  }
}

/** The kernel's answer of this moment decides at a start; while we run, a detour of routes is no reason to move. */
function byRoute(host: HostNetwork, target: Address): Lookup {
  return {
    candidates: () => {
      const own = withAddress(host, target)
      if (own.length > 0) return own
      const answer = host.asked.get(target)
      const leaves = typeof answer === 'object' ? host.links.find(({ index }) => index === answer.index) : undefined
      if (typeof answer !== 'object' || leaves === undefined) {
        return `-iface-can-reach: no route to ${target}${typeof answer === 'string' ? ` (${answer})` : ''}`
      }
      const found: readonly InterfaceCandidate[] = [{ link: leaves, address: answer.source }]
      return found
    },
    admits: (link, { used }) => used && !isOverlayDevice(link),
  }
}

/**
 * The main table's default routes by metric, as in Go. Where one has several hops, live ones first; the kernel says which
 * route it takes when the first is dead, and by which device where the main table has none.
 */
function byDefaultRoute(host: HostNetwork, family: Family): Lookup {
  return {
    candidates: () => {
      const answer = host.asked.get(ELSEWHERE[family])
      const kernels = typeof answer === 'object' ? answer.index : undefined
      const routes = host.routes
        .filter((route) => lengthOf(route.destination) === 0 && familyOf(addressOf(route.destination)) === family)
        .toSorted((a, b) => a.metric - b.metric)
      const metric = routes.find(({ index }) => index === kernels)?.metric
      const taken = routes.filter((route) => route.metric === metric)
      const order = [...taken, ...routes].filter(({ live }) => live).concat(taken, routes)
      const indexes = new Set([...order.map(({ index }) => index), ...(kernels === undefined ? [] : [kernels])])
      const found = [...indexes].flatMap((index) => host.links.filter((link) => link.index === index))
      if (found.length > 0) return found.map((link) => ({ link, address: undefined }))
      return `no default route for IPv${family}: name the interface between the hosts with -iface`
    },
    admits: (link) => !link.loopback && !isOverlayDevice(link),
  }
}

function withAddress(host: HostNetwork, address: Address): readonly InterfaceCandidate[] {
  return host.links
    .filter((link) => addressesOf(host, link).some((own) => own.address === address))
    .map((link) => ({ link, address }))
}
