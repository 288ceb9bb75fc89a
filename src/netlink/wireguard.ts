// WireGuard devices and their peers over generic netlink (linux/wireguard.h). Keys are 32 bytes, shown in base64 as wg(8) does.
// Invariant: what is secret leaves this file only as a Secret.
import { type Address, familyOf, fromBytes, toBytes } from '../ip/address.ts'
import { type Prefix, addressOf, lengthOf, prefixFamily, prefixOf } from '../ip/prefix.ts'
import { Secret } from '../text/secret.ts'
import { Attributes, type Message } from './attribute.ts'
import * as nl from './constants.ts'
import { GENLMSGHDR, genericHeader } from './generic.ts'
import type { Encode, MessageWriter } from './message.ts'

/** The name of the family. */
export const WIREGUARD = 'wireguard'
/** Bytes of a key. */
const KEY = 32

/** Where a peer's packets are sent: an address and a UDP port. */
export interface Endpoint {
  readonly address: Address
  readonly port: number
}

/** A peer as the kernel shows it. */
export interface WireguardPeerRecord {
  readonly publicKey: string
  readonly presharedKey: Secret | undefined
  /** Undefined until one is set, or a packet came. */
  readonly endpoint: Endpoint | undefined
  /** Seconds; 0: off. */
  readonly keepalive: number
  /** Milliseconds since 1970; 0: none yet. */
  readonly handshake: number
  /** Bytes. */
  readonly received: number
  readonly sent: number
  readonly allowed: readonly Prefix[]
}

/** A device. */
export interface WireguardRecord {
  /** Undefined while it has no private key. */
  readonly publicKey: string | undefined
  /** UDP port it receives on. */
  readonly port: number
  readonly peers: readonly WireguardPeerRecord[]
}

/** How a peer is to be, or that it is to go. */
export interface WireguardPeerWrite {
  readonly publicKey: string
  /** Undefined removes it; absent fields of it stay as they are. */
  readonly settings:
    | {
        readonly presharedKey: Secret | undefined
        readonly endpoint?: Endpoint
        readonly keepalive: number
        readonly allowed: readonly Prefix[]
      }
    | undefined
}

/** What of a device is to change. */
export interface WireguardDeviceWrite {
  readonly privateKey?: Secret
  readonly port?: number
}

/** Asks for a device and its peers: for a dump. */
export function askWireguard(family: number, device: string): Encode {
  return (message) => {
    genericHeader(message, family, nl.WG_CMD_GET_DEVICE)
    message.text(nl.WGDEVICE_A_IFNAME, device)
  }
}

const peerIn = new Attributes()
const allowedIn = new Attributes()

/** Adds one message of a dump to what the messages before it showed. A peer whose prefixes do not fit goes on in the next one. */
export function readWireguard(message: Message, before: WireguardRecord | undefined): WireguardRecord {
  const attributes = message.parse(GENLMSGHDR)
  const peers = [...(before?.peers ?? [])]
  attributes.each(nl.WGDEVICE_A_PEERS, peerIn, (peer) => {
    const read = readPeer(peer)
    const last = peers.at(-1)
    if (last?.publicKey === read.publicKey)
      peers[peers.length - 1] = { ...last, allowed: [...last.allowed, ...read.allowed] }
    else peers.push(read)
  })
  if (before !== undefined) return { ...before, peers }
  const publicKey = attributes.bytes(nl.WGDEVICE_A_PUBLIC_KEY)
  return {
    publicKey: publicKey.length === KEY ? base64(publicKey) : undefined,
    port: attributes.number(nl.WGDEVICE_A_LISTEN_PORT),
    peers,
  }
}

function readPeer(peer: Attributes): WireguardPeerRecord {
  const presharedKey = peer.bytes(nl.WGPEER_A_PRESHARED_KEY)
  const allowed: Prefix[] = []
  // Copied before the prefixes are read: they are inside the same message, and have a table of their own.
  const record = {
    publicKey: base64(peer.bytes(nl.WGPEER_A_PUBLIC_KEY)),
    presharedKey: presharedKey.some((byte) => byte !== 0) ? new Secret(base64(presharedKey)) : undefined,
    endpoint: readEndpoint(peer.bytes(nl.WGPEER_A_ENDPOINT)),
    keepalive: peer.number(nl.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL),
    handshake: readTime(peer.bytes(nl.WGPEER_A_LAST_HANDSHAKE_TIME)),
    received: peer.u64(nl.WGPEER_A_RX_BYTES),
    sent: peer.u64(nl.WGPEER_A_TX_BYTES),
  }
  peer.each(nl.WGPEER_A_ALLOWEDIPS, allowedIn, (one) => {
    const address = one.address(nl.WGALLOWEDIP_A_IPADDR)
    if (address !== undefined) allowed.push(prefixOf(address, one.number(nl.WGALLOWEDIP_A_CIDR_MASK)))
  })
  return { ...record, allowed }
}

/** A struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). */
function readEndpoint(bytes: Uint8Array): Endpoint | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 16) return undefined
  const [at, length] = view.getUint16(0, true) === nl.AF_INET ? [4, 4] : [8, 16]
  if (at + length > bytes.length) return undefined
  return { address: fromBytes(bytes.slice(at, at + length)), port: view.getUint16(2, false) }
}

/** A struct __kernel_timespec: seconds and nanoseconds, 64 bits each. */
function readTime(bytes: Uint8Array): number {
  if (bytes.length < 16) return 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Number(view.getBigInt64(0, true)) * 1000 + Math.floor(Number(view.getBigInt64(8, true)) / 1e6)
}

/** Changes a device, its peers apart. */
export function writeWireguard(family: number, device: string, { privateKey, port }: WireguardDeviceWrite): Encode {
  return (message) => {
    genericHeader(message, family, nl.WG_CMD_SET_DEVICE)
    message.text(nl.WGDEVICE_A_IFNAME, device)
    if (privateKey !== undefined) message.bytes(nl.WGDEVICE_A_PRIVATE_KEY, keyBytes(privateKey.reveal()))
    if (port !== undefined) message.u16(nl.WGDEVICE_A_LISTEN_PORT, port)
  }
}

/** Adds a peer, or sets one that is there; or removes it. A prefix that another peer has is moved to this one. */
export function writeWireguardPeer(family: number, device: string, write: WireguardPeerWrite): Encode {
  return (message) => {
    genericHeader(message, family, nl.WG_CMD_SET_DEVICE)
    message.text(nl.WGDEVICE_A_IFNAME, device)
    message.nest(nl.WGDEVICE_A_PEERS, () => {
      message.nest(0, () => {
        writePeer(message, write)
      })
    })
  }
}

function writePeer(message: MessageWriter, { publicKey, settings }: WireguardPeerWrite): void {
  message.bytes(nl.WGPEER_A_PUBLIC_KEY, keyBytes(publicKey))
  if (settings === undefined) {
    message.u32(nl.WGPEER_A_FLAGS, nl.WGPEER_F_REMOVE_ME)
    return
  }
  const { presharedKey, endpoint, keepalive, allowed } = settings
  message.u32(nl.WGPEER_A_FLAGS, nl.WGPEER_F_REPLACE_ALLOWEDIPS)
  // A key of zeros is none.
  const secret = presharedKey === undefined ? new Uint8Array(KEY) : keyBytes(presharedKey.reveal())
  message.bytes(nl.WGPEER_A_PRESHARED_KEY, secret)
  if (endpoint !== undefined) message.bytes(nl.WGPEER_A_ENDPOINT, endpointBytes(endpoint))
  message.u16(nl.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, keepalive)
  message.nest(nl.WGPEER_A_ALLOWEDIPS, () => {
    for (const prefix of allowed)
      message.nest(0, () => {
        message.u16(nl.WGALLOWEDIP_A_FAMILY, prefixFamily(prefix) === 4 ? nl.AF_INET : nl.AF_INET6)
        message.address(nl.WGALLOWEDIP_A_IPADDR, addressOf(prefix))
        message.u8(nl.WGALLOWEDIP_A_CIDR_MASK, lengthOf(prefix))
      })
  })
}

function endpointBytes({ address, port }: Endpoint): Uint8Array {
  const four = familyOf(address) === 4
  const bytes = new Uint8Array(four ? 16 : 28)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, four ? nl.AF_INET : nl.AF_INET6, true)
  view.setUint16(2, port, false)
  bytes.set(toBytes(address), four ? 4 : 8)
  return bytes
}

function keyBytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64').subarray(0, KEY))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
