// The auto part of the network config, and of a peer's lease: those of vxlan and wireguard, and what decides between the ways.
import type { Checked, ConfigKeys, ConfigSection } from '../../src/backend.ts'
import { KEYS, type VxlanConfig, type VxlanPeer, parseConfig, parsePeer } from '../vxlan/config.ts'
import {
  WIREGUARD_KEYS,
  type WireguardConfig,
  type WireguardData,
  parseWireguardConfig,
  parseWireguardData,
} from '../wireguard/config.ts'

const ENCRYPT = ['never', 'beyond-link', 'always'] as const

/** `Backend` of the network config for Type auto. */
export interface AutoConfig extends VxlanConfig {
  /** Which packets have to be encrypted: none, those that leave our link, or all. */
  readonly encrypt: (typeof ENCRYPT)[number]
  /** How those are encrypted. */
  readonly wireguard: WireguardConfig
}

/** `BackendData` of a lease. */
export interface AutoPeer extends VxlanPeer {
  /** Whether its host takes packets that no tunnel wraps; undefined in leases that do not say: of Go's flanneld, say. */
  readonly takesDirect: boolean | undefined
  /** Undefined where its host does not encrypt. */
  readonly wireguard: WireguardData | undefined
  /** Whether our config said Encrypt when its lease was read: a change of it is one of the peer, which then waits for a session. */
  readonly encrypts: boolean
}

export const AUTO_KEYS = {
  Encrypt: {
    default: 'never',
    choices: ENCRYPT,
    doc: 'which packets between hosts are encrypted, by WireGuard: none, those to hosts on other networks, or all',
    change:
      'a peer is sent encrypted packets once there is a session with it; devices and subnet.env get another MTU: dockerd and containers keep the old one until they restart',
  },
  VNI: KEYS.VNI,
  Port: KEYS.Port,
  MTU: {
    ...KEYS.MTU,
    doc: 'bytes of a packet between hosts: containers get 50 less (70 over IPv6), with Encrypt 80; 0, or too large: the MTU of the interface between hosts; otherwise at least 148',
  },
  Learning: KEYS.Learning,
  GBP: KEYS.GBP,
  PSK: WIREGUARD_KEYS.PSK,
  ListenPort: { ...WIREGUARD_KEYS.ListenPort, doc: 'UDP port on which hosts receive encrypted packets' },
  ListenPortV6: { ...WIREGUARD_KEYS.ListenPortV6, doc: 'the same for IPv6' },
  PersistentKeepaliveInterval: WIREGUARD_KEYS.PersistentKeepaliveInterval,
} as const satisfies ConfigKeys

export function parseAutoConfig(section: ConfigSection): AutoConfig {
  // Keys of the other backends that this one has not: probes decide which routes are direct, and a device has one family.
  const part: ConfigSection = {
    integer: (...asked) => section.integer(...asked),
    secret: (...asked) => section.secret(...asked),
    words: (key, fallback, check) => (key === 'Mode' ? fallback : section.words(key, fallback, check)),
    boolean: (key, fallback) => (key === 'DirectRouting' ? fallback : section.boolean(key, fallback)),
  }
  const text = section.words('Encrypt', AUTO_KEYS.Encrypt.default, encryptRule)
  const encrypt = ENCRYPT.find((one) => one === text) ?? AUTO_KEYS.Encrypt.default
  return { ...parseConfig(part), encrypt, wireguard: parseWireguardConfig(part) }
}

function encryptRule(value: string): string | undefined {
  return ENCRYPT.some((one) => one === value)
    ? undefined
    : `must be one of ${ENCRYPT.map((one) => `"${one}"`).join(', ')}`
}

/**
 * Checks `{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44","Direct":true,"PublicKey":"...","Port":51820}`. What Go's flanneld does not know it
 * ignores.
 */
export function parseAutoPeer(data: unknown, config: AutoConfig): Checked<AutoPeer> {
  const tunnel = parsePeer(data, config)
  if (!tunnel.ok) return tunnel
  const { Direct: direct } = data as { readonly Direct?: unknown }
  const takesDirect = typeof direct === 'boolean' ? direct : undefined
  const keys = parseWireguardData(data)
  const wireguard = keys.ok ? keys.value : undefined
  return { ok: true, value: { ...tunnel.value, takesDirect, wireguard, encrypts: config.encrypt !== 'never' } }
}
