// From what netlink shows to our objects: pure, normalised so that what was written reads back equal.
// Invariant: an object that our types cannot say is shown with something no plan contains (the unspecified address, VNI
// -1), so that it differs from what we want and is repaired instead of overlooked.
import type { Address } from '../ip/address.ts'
import type { AddressRecord } from '../netlink/address.ts'
import type { NeighborRecord } from '../netlink/neighbor.ts'
import type { NexthopRecord } from '../netlink/nexthop.ts'
import type { RouteRecord } from '../netlink/route.ts'
import type { PolicyRecord } from '../netlink/xfrm.ts'
import type { FdbEntry, InterfaceAddress, Neighbor, Nexthop, Policy, Route, RouteTarget } from './state.ts'

/** Finds a device's name; empty when it has none. */
export type NameOf = (index: number) => string

/** Stands for a place that cannot be said; no plan has it. */
export const UNSPECIFIED = '0.0.0.0' as Address

/** An address, if it was set by hand or by a program; those from router advertisements and DHCP have a lifetime. */
export function interfaceAddressOf(record: AddressRecord, nameOf: NameOf): InterfaceAddress | undefined {
  if (!record.permanent) return undefined
  return { kind: 'address', device: nameOf(record.index), address: record.address, length: record.length }
}

/** A permanent neighbour or forwarding entry. */
export function neighborOf(record: NeighborRecord, nameOf: NameOf): Neighbor | FdbEntry | undefined {
  const { mac, address } = record
  if (!record.permanent || mac === undefined) return undefined
  const device = nameOf(record.index)
  if (record.fdb) return { kind: 'fdb', device, mac, destination: address ?? UNSPECIFIED }
  return address === undefined ? undefined : { kind: 'neighbor', device, address, mac }
}

/** A nexthop with a gateway. Groups and blackholes are not for us; a gateway that is not onlink is shown as none. */
export function nexthopOf(record: NexthopRecord, nameOf: NameOf): Nexthop | undefined {
  if (record.gateway === undefined) return undefined
  const gateway = record.onlink ? record.gateway : UNSPECIFIED
  return { kind: 'nexthop', id: record.id, gateway, device: nameOf(record.index), protocol: record.protocol }
}

/** A policy. One that does something else with packets is shown as leading nowhere. */
export function policyOf({ direction, source, destination, template, reqid }: PolicyRecord): Policy {
  const { from, to, optional } = template ?? { from: UNSPECIFIED, to: UNSPECIFIED, optional: false }
  return { kind: 'policy', direction, source, destination, from, to, reqid, optional }
}

/** A route. */
export function routeOf(record: RouteRecord, nameOf: NameOf): Route {
  const { destination, metric, protocol } = record
  return { kind: 'route', destination, metric, target: targetOf(record.hop, nameOf), protocol }
}

function targetOf(hop: RouteRecord['hop'], nameOf: NameOf): RouteTarget {
  if (hop.type === 'gateway')
    return { type: 'gateway', gateway: hop.gateway, device: nameOf(hop.index), onlink: hop.onlink }
  return hop.type === 'device' ? { type: 'device', device: nameOf(hop.index) } : hop
}
