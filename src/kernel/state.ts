// What we want of the kernel, and what we read from it: plain values, one type per kind of object.
// Invariant: a field here is one we manage; the key is the kernel's own identity of the object, so that two objects
// with one key cannot exist side by side. Values are normalised on reading: what was written reads back equal.
import type { Address } from '../ip/address.ts'
import { equal } from '../equal.ts'
import type { Mac } from '../ip/mac.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Endpoint } from '../netlink/wireguard.ts'
import type { PolicyDirection } from '../netlink/xfrm.ts'
import type { Secret } from '../text/secret.ts'

/** A VXLAN device (ip-link(8), RFC 7348). VNI, port and GBP cannot be changed on a living device. */
export interface VxlanLink {
  readonly kind: 'link'
  readonly type: 'vxlan'
  readonly name: string
  readonly vni: number
  /** UDP destination port. */
  readonly port: number
  /** Outer source address. */
  readonly local: Address
  /** Name of the device the outer packets leave by. */
  readonly underlay: string
  /** Bytes of an inner IP packet. */
  readonly mtu: number
  readonly mac: Mac
  readonly learning: boolean
  /** Group Based Policy extension (draft-smith-vxlan-group-policy). */
  readonly gbp: boolean
  readonly up: boolean
}

/** An address on a device, with the length it has there ("10.2.3.0/32": host bits kept). */
export interface InterfaceAddress {
  readonly kind: 'address'
  readonly device: string
  readonly address: Address
  readonly length: number
}

/** A permanent VXLAN forwarding entry: frames to `mac` leave in UDP to `destination`. Unicast: one per MAC. */
export interface FdbEntry {
  readonly kind: 'fdb'
  readonly device: string
  readonly mac: Mac
  readonly destination: Address
}

/** A permanent neighbour (ARP or ND) entry. */
export interface Neighbor {
  readonly kind: 'neighbor'
  readonly device: string
  readonly address: Address
  readonly mac: Mac
}

/** A nexthop object (kernel 5.3+): routes that name it share one fib_info. Always onlink. */
export interface Nexthop {
  readonly kind: 'nexthop'
  /** 32 bits, ours to choose. */
  readonly id: number
  readonly gateway: Address
  readonly device: string
  /** rtnetlink(7) protocol number of who made it. */
  readonly protocol: number
}

/** Where a route leads. `other` is what we never write but may find (multipath, unreachable, ...). */
export type RouteTarget =
  | { readonly type: 'gateway'; readonly gateway: Address; readonly device: string; readonly onlink: boolean }
  | { readonly type: 'nexthop'; readonly id: number }
  | { readonly type: 'device'; readonly device: string }
  | { readonly type: 'blackhole' }
  | { readonly type: 'other'; readonly text: string }

/** A route in the main table; TOS 0. */
export interface Route {
  readonly kind: 'route'
  readonly destination: Prefix
  /** Priority; IPv6 routes without one read back as 1024, so planners of IPv6 say 1024. */
  readonly metric: number
  readonly target: RouteTarget
  /** rtnetlink(7) protocol number of who made it: FLANNEL_PROTOCOL on ours. */
  readonly protocol: number
}

/**
 * An IPsec policy (ip-xfrm(8)): packets between two prefixes travel in ESP, in tunnel mode, between two hosts. It says so of
 * those that leave ("out"), that arrive for this host ("in") and that arrive to be forwarded ("fwd"): others are dropped.
 */
export interface Policy {
  readonly kind: 'policy'
  readonly direction: PolicyDirection
  readonly source: Prefix
  readonly destination: Prefix
  /** Outer source and destination. */
  readonly from: Address
  readonly to: Address
  /** What ties it to its associations, and says whose it is: IPSEC_REQID on ours. */
  readonly reqid: number
  /** Whether packets that do not travel so pass too: while a peer goes over from another backend, or to it. */
  readonly optional: boolean
}

/** An IP-in-IP device (ip-link(8), RFC 2003): the route to a peer says which host its packets go to. */
export interface IpipLink {
  readonly kind: 'link'
  readonly type: 'ipip'
  readonly name: string
  /** Outer source address. */
  readonly local: Address
  /** Bytes of an inner IP packet. */
  readonly mtu: number
  readonly up: boolean
}

/**
 * A WireGuard device (wg(8)), of the kernel or of a program. Its private key is in the key file and in no value; it is read when it
 * has to be written.
 */
export interface WireguardLink {
  readonly kind: 'link'
  readonly type: 'wireguard'
  readonly name: string
  /** UDP port it receives on. */
  readonly port: number
  /** In base64, as wg(8) shows it; empty while it has none. */
  readonly publicKey: string
  /** Bytes of an inner IP packet. */
  readonly mtu: number
  readonly up: boolean
}

/** A TUN device (Documentation/networking/tuntap.rst), which stays when no program has it open. */
export interface TunLink {
  readonly kind: 'link'
  readonly type: 'tun'
  readonly name: string
  readonly mtu: number
  readonly up: boolean
}

/** A peer of a WireGuard device: packets to its prefixes are encrypted to its key, and packets from them have to come from it. */
export interface WireguardPeer {
  readonly kind: 'wireguard-peer'
  readonly device: string
  /** In base64. */
  readonly publicKey: string
  /** Where its packets are sent. Undefined only in what is read: its own packets set it, and any wanted one is right. */
  readonly endpoint: Endpoint | undefined
  /** Sorted. No two peers of a device have one prefix. */
  readonly allowed: readonly Prefix[]
  readonly presharedKey: Secret | undefined
  /** Seconds between packets that keep a NAT open; 0: none. */
  readonly keepalive: number
}

/** A device of ours, of a type named as ip-link(8) does. Each type has a file in src/kernel/links. */
export type Link = VxlanLink | IpipLink | WireguardLink | TunLink

/** The types of devices we make. */
export type LinkType = Link['type']

/** Anything we manage in the kernel. */
export type KernelObject = Link | InterfaceAddress | WireguardPeer | FdbEntry | Neighbor | Nexthop | Policy | Route

/** The kinds, in the order they are added; they are deleted in the opposite order. */
export const KINDS = ['link', 'address', 'wireguard-peer', 'fdb', 'neighbor', 'nexthop', 'policy', 'route'] as const

/** The name of one kind. */
export type Kind = (typeof KINDS)[number]

/** Objects by key. Desired state never holds two objects with one key. */
export type KernelState = ReadonlyMap<string, KernelObject>

/** The number our routes and nexthops carry in their protocol field (rtnetlink(7): 5..255 are free for daemons). */
export const FLANNEL_PROTOCOL = 142

/** The reqid of our IPsec policies, as in Go's flanneld. */
export const IPSEC_REQID = 11

/** What `ip route add` and Go's flanneld leave in the protocol field (RTPROT_BOOT, linux/rtnetlink.h). */
export const BOOT_PROTOCOL = 3

/** The kernel's identity of an object, unique over all kinds. */
export function keyOf(object: KernelObject): string {
  switch (object.kind) {
    case 'link':
      return `link ${object.name}`
    case 'address':
      return `address ${object.device} ${object.address}/${object.length}`
    case 'wireguard-peer':
      return `wireguard-peer ${object.device} ${object.publicKey}`
    case 'fdb':
      return `fdb ${object.device} ${object.mac}`
    case 'neighbor':
      return `neighbor ${object.device} ${object.address}`
    case 'nexthop':
      return `nexthop ${object.id}`
    case 'policy':
      return `policy ${object.direction} ${object.source} ${object.destination}`
    case 'route':
      return `route ${object.destination} ${object.metric}`
  }
}

/** Whether an object is a VXLAN device. */
export function isVxlan(object: KernelObject): object is VxlanLink {
  return object.kind === 'link' && object.type === 'vxlan'
}

/** Whether two objects of one key are the same in every managed field. Flat on purpose: it runs once per object and audit. */
export function sameObject(a: KernelObject, b: KernelObject): boolean {
  switch (a.kind) {
    case 'fdb':
      return b.kind === 'fdb' && sameFdb(a, b)
    case 'neighbor':
      return b.kind === 'neighbor' && sameNeighbor(a, b)
    case 'nexthop':
      return b.kind === 'nexthop' && sameNexthop(a, b)
    case 'route':
      return b.kind === 'route' && sameRoute(a, b)
    case 'link':
    case 'address':
    case 'policy':
    case 'wireguard-peer':
      return sameOfOthers(a, b)
  }
}

/** Of the kinds that are few, or rarely used. */
function sameOfOthers(a: Exclude<KernelObject, FdbEntry | Neighbor | Nexthop | Route>, b: KernelObject): boolean {
  switch (a.kind) {
    case 'link':
    case 'policy':
      return b.kind === a.kind && sameFields(a, b)
    case 'address':
      return b.kind === 'address' && keyOf(a) === keyOf(b)
    case 'wireguard-peer':
      return b.kind === 'wireguard-peer' && sameWireguardPeer(a, b)
  }
}

function sameWireguardPeer(a: WireguardPeer, b: WireguardPeer): boolean {
  return sameEndpoint(a, b) && equal({ ...a, endpoint: undefined }, { ...b, endpoint: undefined })
}

/** Whether the endpoint of a peer that was read is right. */
export function sameEndpoint({ endpoint: a }: WireguardPeer, { endpoint: b }: WireguardPeer): boolean {
  return a === undefined || b === undefined || equal(a, b)
}

function sameFdb(a: FdbEntry, b: FdbEntry): boolean {
  return a.device === b.device && a.mac === b.mac && a.destination === b.destination
}

function sameNeighbor(a: Neighbor, b: Neighbor): boolean {
  return a.device === b.device && a.address === b.address && a.mac === b.mac
}

function sameNexthop(a: Nexthop, b: Nexthop): boolean {
  return a.id === b.id && a.gateway === b.gateway && a.device === b.device && a.protocol === b.protocol
}

function sameRoute(a: Route, b: Route): boolean {
  const sameKey = a.destination === b.destination && a.metric === b.metric
  return sameKey && a.protocol === b.protocol && sameTarget(a.target, b.target)
}

/** Whether two routes lead to the same place, regardless of who made them. */
export function sameTarget(a: RouteTarget, b: RouteTarget): boolean {
  return a.type === b.type && sameFields(a, b)
}

/** Compares objects whose fields are all primitive. */
function sameFields(a: object, b: object): boolean {
  const other = b as Record<string, unknown>
  const fields = Object.entries(a)
  return fields.length === Object.keys(b).length && fields.every(([name, value]) => other[name] === value)
}
