// Which devices are flannel's, ours and Go's: VXLAN devices named by their VNI, devices of other types by one name. The name alone
// says nothing: a bridge or a VLAN may have it as well.
import type { Family } from '../ip/address.ts'
import { FAMILIES } from '../ip/by-family.ts'
import { type KernelObject, type Link, type LinkType, type VxlanLink, isVxlan } from './state.ts'

/** Prefix of the names of VXLAN devices, as in Go. */
const STEM: Readonly<Record<Family, string>> = { 4: 'flannel.', 6: 'flannel-v6.' }

/** The IP-in-IP device, as in Go. */
export const IPIP_DEVICE = 'flannel.ipip'

/** IP in IP, in the protocol field of an outer packet (RFC 2003, section 3.1). */
export const IPIP_PROTOCOL = 4

/** The WireGuard devices, as in Go: the one of a family; one for both is that of IPv4. */
export const WIREGUARD_DEVICES: Readonly<Record<Family, string>> = { 4: 'flannel-wg', 6: 'flannel-wg-v6' }

/** The TUN device of the udp backend, as in Go. */
export const TUN_DEVICE = 'flannel0'

/** The devices of each type that has no number, by name. */
const FIXED_NAMES: { readonly [T in Exclude<LinkType, 'vxlan'>]: readonly string[] } = {
  ipip: [IPIP_DEVICE],
  wireguard: Object.values(WIREGUARD_DEVICES),
  tun: [TUN_DEVICE],
}

/** The names of all devices that have no number. */
export const DEVICE_NAMES: readonly string[] = Object.values(FIXED_NAMES).flat()

/** Whether a device has the name of a WireGuard device of flannel's. */
export function isWireguardName(name: string): boolean {
  return FIXED_NAMES.wireguard.includes(name)
}

/** What a device adds to a packet, by the outer family: Ethernet 14, IP 20 or 40, UDP 8, VXLAN 8 (RFC 7348, section 5). */
export const VXLAN_OVERHEAD: Readonly<Record<Family, number>> = { 4: 50, 6: 70 }

/** The name of a family's VXLAN device: `flannel.1`. */
export function linkName(family: Family, vni: number): string {
  return `${STEM[family]}${vni}`
}

/** The number in the name of a VXLAN device of flannel's; undefined for another name. */
export function vniOf(name: string): number | undefined {
  const stem = FAMILIES.map((family) => STEM[family]).find((each) => name.startsWith(each)) ?? ''
  const digits = name.slice(stem.length)
  return stem !== '' && /^\d+$/.test(digits) ? Number(digits) : undefined
}

/** Whether an object is a VXLAN device with such a name. */
export function isFlannelLink(object: KernelObject): object is VxlanLink {
  return isVxlan(object) && vniOf(object.name) !== undefined
}

/** Whether an object is a device of flannel's, of any type. */
export function isFlannelDevice(object: KernelObject): object is Link {
  if (object.kind !== 'link') return false
  return object.type === 'vxlan' ? isFlannelLink(object) : FIXED_NAMES[object.type].includes(object.name)
}
