// The vxlan part of the network config, and of a peer's lease.
import type { Checked, ConfigKeys, ConfigSection } from '../../src/backend.ts'
import { show } from '../../src/errors.ts'
import type { Family } from '../../src/ip/address.ts'
import { type Mac, isStation, parseMac } from '../../src/ip/mac.ts'

/** `Backend` of the network config for Type vxlan. */
export interface VxlanConfig {
  /** VXLAN network identifier, 24 bits (RFC 7348). */
  readonly vni: number
  /** UDP port; 8472 is the Linux kernel's and Go flannel's default, not IANA's 4789. */
  readonly port: number
  /** Wanted MTU of the outer packets in bytes, as Go flannel reads it; 0: the underlay's. Containers get that minus the encapsulation. */
  readonly mtu: number
  /** Peers on our own LAN get plain routes. */
  readonly directRouting: boolean
  readonly learning: boolean
  readonly gbp: boolean
}

/** `BackendData` of a vxlan lease. */
export interface VxlanPeer {
  readonly mac: Mac
}

const DEFAULT_PORT = 8472

/** `flannel.` and the number have to fit the 15 bytes of a device's name (IFNAMSIZ of linux/if.h). */
const MOST_VNI = 9_999_999
/** The least MTU under a device: 68 (ETH_MIN_MTU, RFC 791), with IPv6 1280 (RFC 8200), and the encapsulation. */
export const LEAST_MTU: Readonly<Record<Family, number>> = { 4: 118, 6: 1350 }
/** The least value of the option: what one family takes. */
const LEAST_OPTION = Math.min(...Object.values(LEAST_MTU))

const NEW_DEVICE = 'every host recreates its device: packets are lost for less than a second'

export const KEYS = {
  VNI: {
    default: 1,
    range: [1, MOST_VNI],
    doc: 'VXLAN network identifier; the device is `flannel.` and this number, at most seven digits',
    change: `${NEW_DEVICE}, and the host registers again`,
  },
  Port: {
    default: DEFAULT_PORT,
    range: [0, 65_535],
    doc: 'UDP port on which hosts receive the tunnel; 0 for the default',
    change: NEW_DEVICE,
  },
  MTU: {
    default: 0,
    range: [0, 65_535],
    doc: 'bytes of a packet between hosts, as in Go flannel: containers get 50 less (70 over IPv6); 0, or too large: the MTU of the interface between hosts; otherwise at least 118',
    change:
      'devices and subnet.env follow, with 50 bytes less; dockerd and containers keep the old MTU until they restart',
  },
  DirectRouting: {
    default: false,
    doc: 'plain routes without a tunnel, with the full MTU, to hosts of the same local network',
  },
  Learning: { default: false, doc: 'the device learns the hosts of MACs from received packets; not needed' },
  GBP: { default: false, doc: 'VXLAN Group Policy: carries packet marks between hosts', change: NEW_DEVICE },
} as const satisfies ConfigKeys

type Key<Value> = { [K in keyof typeof KEYS]: (typeof KEYS)[K]['default'] extends Value ? K : never }[keyof typeof KEYS]

export function parseConfig(section: ConfigSection): VxlanConfig {
  const integer = (key: Key<number>): number => {
    const [min, max] = KEYS[key].range
    return section.integer(key, KEYS[key].default, min, max)
  }
  const boolean = (key: Key<boolean>): boolean => section.boolean(key, KEYS[key].default)
  const port = integer('Port')
  const mtu = integer('MTU')
  if (mtu !== 0) section.integer('MTU', 0, LEAST_OPTION, KEYS.MTU.range[1])
  return {
    vni: integer('VNI'),
    // Go's flanneld hands 0 to the kernel, which takes its default.
    port: port === 0 ? DEFAULT_PORT : port,
    mtu,
    directRouting: boolean('DirectRouting'),
    learning: boolean('Learning'),
    gbp: boolean('GBP'),
  }
}

/** Checks `{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}`. Old leases carry no VNI. */
export function parsePeer(data: unknown, config: VxlanConfig): Checked<VxlanPeer> {
  if (typeof data !== 'object' || data === null) return { ok: false, reason: 'backend-data', detail: 'no BackendData' }
  const { VNI: vni, VtepMAC: text } = data as { readonly VNI?: unknown; readonly VtepMAC?: unknown }
  if (vni !== undefined && vni !== config.vni) {
    return { ok: false, reason: 'vni', detail: `VNI ${show(vni)}, ours is ${config.vni}` }
  }
  const mac = typeof text === 'string' ? parseMac(text) : undefined
  if (mac === undefined) return { ok: false, reason: 'mac', detail: `VtepMAC ${show(text)} is no MAC` }
  if (!isStation(mac)) return { ok: false, reason: 'mac', detail: `VtepMAC ${mac} is zero or a group address` }
  return { ok: true, value: { mac } }
}
