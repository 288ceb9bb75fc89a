// The drivers of all types of devices, one line each.
import type { LinkRecord } from '../../netlink/link.ts'
import type { NameOf } from '../objects.ts'
import type { Link, LinkType } from '../state.ts'
import { ipipDriver } from './ipip.ts'
import type { LinkDriver } from './link-driver.ts'
import { tunDriver } from './tun.ts'
import { vxlanDriver } from './vxlan.ts'
import { wireguardDriver } from './wireguard.ts'

const DRIVERS: { readonly [T in LinkType]: LinkDriver<Extract<Link, { type: T }>> } = {
  vxlan: vxlanDriver,
  ipip: ipipDriver,
  wireguard: wireguardDriver,
  tun: tunDriver,
}

/** The types of devices we make. */
const LINK_TYPES = Object.keys(DRIVERS) as readonly LinkType[]

/** The driver for a device; each method takes devices of that type only. */
export function driverOf(type: LinkType): LinkDriver<Link> {
  return DRIVERS[type]
}

/** The driver for a device read from the kernel; undefined for a type we never make. */
export function driverFor(record: LinkRecord): LinkDriver<Link> | undefined {
  return LINK_TYPES.map(driverOf).find((driver) => driver.isOf(record))
}

/** Whether a device read from the kernel is of a type of ours. */
export function isOfType(record: LinkRecord, type: LinkType): boolean {
  return driverFor(record)?.type === type
}

/** A device read from the kernel. One of a type we never make is shown as a VXLAN device that no plan has. */
export function linkOf(record: LinkRecord, nameOf: NameOf): Link {
  return (driverFor(record) ?? driverOf('vxlan')).read(record, nameOf)
}

/** Whether a living device can become `wanted`. Its type never changes. */
export function isChangeable(wanted: Link, found: Link): boolean {
  return wanted.type === found.type && driverOf(wanted.type).changeable(wanted, found)
}
