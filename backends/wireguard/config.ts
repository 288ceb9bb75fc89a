// The wireguard part of the network config, and of a peer's lease.
import type { Checked, ConfigKeys, ConfigSection } from '../../src/backend.ts'
import { show } from '../../src/errors.ts'
import type { Family } from '../../src/ip/address.ts'
import type { WireguardPeer } from '../../src/kernel/state.ts'
import { isKey } from '../../src/text/wireguard-key.ts'

/** One device for each family, or one for both with the outer packets of one family. */
const MODES = ['separate', 'auto', 'ipv4', 'ipv6'] as const
type Mode = (typeof MODES)[number]

/** `Backend` of the network config for Type wireguard. */
export interface WireguardConfig {
  readonly mode: Mode
  /** UDP port of each family's device; a device for both has that of IPv4. */
  readonly ports: Readonly<Record<Family, number>>
  /** Wanted MTU of the outer packets in bytes, as in Go flannel; 0: the underlay's. */
  readonly mtu: number
  readonly presharedKey: WireguardPeer['presharedKey']
  /** Seconds; 0: none. */
  readonly keepalive: number
}

/** `BackendData` of a wireguard lease. */
export interface WireguardData {
  readonly publicKey: string
  /** Undefined in leases of Go's flanneld: all hosts have the same port. */
  readonly port: number | undefined
}

/** IP 20 or 40, UDP 8, WireGuard 32: Go takes it for both families. */
export const OVERHEAD = 80
/** The least MTU under a device: 68 (RFC 791), with IPv6 1280 (RFC 8200), and the encapsulation. */
export const LEAST_WIREGUARD_MTU: Readonly<Record<Family, number>> = { 4: 68 + OVERHEAD, 6: 1280 + OVERHEAD }
const LEAST_OPTION = Math.min(...Object.values(LEAST_WIREGUARD_MTU))

const NEW_PORT = 'packets are lost until all hosts have followed, for less than a second'

export const WIREGUARD_KEYS = {
  PSK: {
    default: '',
    secret: true,
    doc: 'a key that all hosts share, mixed into each session against quantum computers: what `wg genpsk` prints',
    change: 'sessions with hosts that have not followed yet cannot be renewed: traffic may pause for some seconds',
  },
  ListenPort: {
    default: 51_820,
    range: [1, 65_535],
    doc: 'UDP port on which hosts receive the tunnel',
    change: NEW_PORT,
  },
  ListenPortV6: {
    default: 51_821,
    range: [1, 65_535],
    doc: 'UDP port of the IPv6 device, with Mode separate',
    change: NEW_PORT,
  },
  MTU: {
    default: 0,
    range: [0, 65_535],
    doc: 'bytes of a packet between hosts, as in Go flannel: containers get 80 less; 0, or too large: the MTU of the interface between hosts; otherwise at least 148',
    change: 'devices and subnet.env follow; dockerd and containers keep the old MTU until they restart',
  },
  Mode: {
    default: 'separate',
    choices: MODES,
    doc: 'separate: a device for each family; auto, ipv4, ipv6: one device for both, whose outer packets are of a suitable family, IPv4 or IPv6',
    change: 'with two families, packets are lost until all hosts have followed',
  },
  PersistentKeepaliveInterval: {
    default: 0,
    range: [0, 65_535],
    doc: 'seconds between packets that keep a NAT between hosts open; 0: none',
  },
} as const satisfies ConfigKeys

export function parseWireguardConfig(section: ConfigSection): WireguardConfig {
  const integer = (key: 'ListenPort' | 'ListenPortV6' | 'MTU' | 'PersistentKeepaliveInterval'): number => {
    const [min, max] = WIREGUARD_KEYS[key].range
    return section.integer(key, WIREGUARD_KEYS[key].default, min, max)
  }
  const mtu = integer('MTU')
  if (mtu !== 0) section.integer('MTU', 0, LEAST_OPTION, WIREGUARD_KEYS.MTU.range[1])
  const mode = section.words('Mode', WIREGUARD_KEYS.Mode.default, modeRule)
  const presharedKey = section.secret('PSK', keyRule)
  return {
    mode: MODES.find((one) => one === mode) ?? WIREGUARD_KEYS.Mode.default,
    ports: { 4: integer('ListenPort'), 6: integer('ListenPortV6') },
    mtu,
    presharedKey: presharedKey?.reveal() === '' ? undefined : presharedKey,
    keepalive: integer('PersistentKeepaliveInterval'),
  }
}

function modeRule(value: string): string | undefined {
  return MODES.some((one) => one === value) ? undefined : `must be one of ${MODES.map((one) => `"${one}"`).join(', ')}`
}

function keyRule(value: string): string | undefined {
  return value === '' || isKey(value) ? undefined : 'must be a key of 44 characters: make one with wg genpsk'
}

/** Checks `{"PublicKey":"...","Port":51820}`. */
export function parseWireguardData(data: unknown): Checked<WireguardData> {
  if (typeof data !== 'object' || data === null) return { ok: false, reason: 'backend-data', detail: 'no BackendData' }
  const { PublicKey: publicKey, Port: port } = data as { readonly PublicKey?: unknown; readonly Port?: unknown }
  if (typeof publicKey !== 'string' || !isKey(publicKey))
    return { ok: false, reason: 'public-key', detail: `PublicKey ${show(publicKey)} is no key` }
  if (port === undefined || port === null) return { ok: true, value: { publicKey, port: undefined } }
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535)
    return { ok: false, reason: 'port', detail: `Port ${show(port)} is no UDP port` }
  return { ok: true, value: { publicKey, port } }
}
