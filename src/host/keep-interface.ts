// Whether a running host stays with the interface and address it has: a pure decision over what netlink shows now, what we had,
// and since when that is gone. Peers know us by that address, so another that turns up (a virtual IP, a second default route)
// changes nothing, one that is gone for a moment is waited for, and one that was left is gone back to.
import type { ExternalInterface } from '../backend.ts'
import { OperatorError } from '../errors.ts'
import { type HostNetwork, type Place, usableAddresses } from '../kernel/host-network.ts'
import { type InterfaceWish, publicAddressOf } from './interface-candidate.ts'
import { chooseExternalInterface, isUsable } from './external-interface.ts'
import { type Address, familyOf } from '../ip/address.ts'
import { bitsOf } from '../ip/prefix.ts'
import { compileGoRegex } from '../options/go-regex.ts'

/** How long an address or interface may be gone before another is taken: a renewed DHCP lease is quicker. Milliseconds. */
export const LEAVE_AFTER_MS = 5000

/** What a running host has. */
export interface Held {
  readonly external: ExternalInterface
  /** Where it was before it had to leave; undefined while it is there. */
  readonly home: Place | undefined
  /** Since when `external` is gone while another would do, in milliseconds on the clock of `now`. */
  readonly goneSince: number | undefined
}

/** What to do. */
export type KeepDecision =
  /** Stay; `external` as it is now: its MTU or index may differ, or its address be on a bridge over it. */
  | { readonly type: 'keep'; readonly external: ExternalInterface }
  /** Stay for now, nothing else would do. */
  | { readonly type: 'nothing-better'; readonly reason: string }
  /** Stay until that moment, then look again: `next` would be taken. */
  | { readonly type: 'wait'; readonly until: number; readonly next: ExternalInterface }
  | { readonly type: 'change'; readonly external: ExternalInterface }

/** Decides, with what is held from now on. `now` in milliseconds, on a clock that never goes back. */
export function decideInterface(
  host: HostNetwork,
  wish: InterfaceWish,
  held: Held,
  now: number,
): { readonly decision: KeepDecision; readonly held: Held } {
  const { external: before, home } = held
  const here: Place = { name: before.name, address: before.address, used: true }
  const places = [...(home === undefined ? [] : [home]), here, ...otherPlaces(host, here)]
  const chosen = chooseExternalInterface(host, wish, before.family, places)
  if (chosen instanceof OperatorError) {
    return { decision: { type: 'nothing-better', reason: chosen.message }, held: { ...held, goneSince: undefined } }
  }
  if (chosen.address === before.address) {
    const kept = { external: chosen, home, goneSince: undefined }
    return { decision: { type: 'keep', external: chosen }, held: kept }
  }
  // What still is as it was is left only for what the operator put first, or for where we were at home.
  const since = held.goneSince ?? now
  const until = since + LEAVE_AFTER_MS
  if (!isUsable(host, wish, here) && chosen.address !== home?.address && now < until) {
    return { decision: { type: 'wait', until, next: chosen }, held: { ...held, goneSince: since } }
  }
  const left = isUsable(host, wish, here) || chosen.address === home?.address ? undefined : (home ?? here)
  return {
    decision: { type: 'change', external: chosen },
    held: { external: chosen, home: left, goneSince: undefined },
  }
}

/**
 * The other addresses of an interface, those with a network before those alone (a virtual IP often is): better than another
 * interface, which peers may not reach.
 */
function otherPlaces(host: HostNetwork, { name, address: here }: Place): readonly Place[] {
  const family = familyOf(here)
  const link = host.links.find((each) => each.name === name)
  const addresses = link === undefined ? [] : usableAddresses(host, link, family)
  const alone = (address: Address): boolean =>
    host.addresses.some((own) => own.address === address && own.length === bitsOf(family))
  const places = addresses.map((address) => ({ name, address, used: true }))
  return places.toSorted((a, b) => Number(alone(a.address)) - Number(alone(b.address)))
}

/**
 * Whether a change of a device, or of an address on it, may change the decision: it is the interface or the address that we
 * have, had, or are configured to use, under any name. Of other devices those that come and go with containers, by the
 * thousand, are left out: looking at the host for each costs more than it finds. A default route is treated separately, and
 * the next audit looks at all.
 */
export function concernsInterface(
  { external, home }: Pick<Held, 'external' | 'home'>,
  wish: InterfaceWish,
  device: string,
  address?: Address,
): boolean {
  const { iface, ifaceRegex } = wish
  const wanted = [external.address, home?.address, publicAddressOf(wish, external.family), ...iface]
  if ([external.name, home?.name, ...iface].includes(device)) return true
  if (address !== undefined && wanted.includes(address)) return true
  if (ifaceRegex.some((text) => compileGoRegex(text).test(device))) return true
  return !/^(veth|docker|br-|cni|cali|flannel)/.test(device)
}
