// Which devices are flannel's: VXLAN devices named by their VNI, ours and Go's. The name alone says nothing: a bridge or a VLAN
// may have it as well.
import type { Family } from '../ip/address.ts'
import { SERVED } from '../ip/by-family.ts'
import { type KernelObject, type VxlanLink, isVxlan } from './state.ts'

/** Prefix of the names of VXLAN devices, as in Go. */
const STEM: Readonly<Record<Family, string>> = { 4: 'flannel.', 6: 'flannel-v6.' }

/** What a device adds to a packet, by the outer family: Ethernet 14, IP 20 or 40, UDP 8, VXLAN 8 (RFC 7348, section 5). */
export const VXLAN_OVERHEAD: Readonly<Record<Family, number>> = { 4: 50, 6: 70 }

/** The name of a family's VXLAN device: `flannel.1`. */
export function linkName(family: Family, vni: number): string {
  return `${STEM[family]}${vni}`
}

/** The number in the name of a VXLAN device of flannel's; undefined for another name. */
export function vniOf(name: string): number | undefined {
  const stem = SERVED.map((family) => STEM[family]).find((each) => name.startsWith(each)) ?? ''
  const digits = name.slice(stem.length)
  return stem !== '' && /^\d+$/.test(digits) ? Number(digits) : undefined
}

/** Whether an object is a VXLAN device with such a name. */
export function isFlannelLink(object: KernelObject): object is VxlanLink {
  return isVxlan(object) && vniOf(object.name) !== undefined
}
