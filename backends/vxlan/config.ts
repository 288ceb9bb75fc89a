// The vxlan part of the network config, and of a peer's lease.
import type { Checked, ConfigSection } from '../../src/backend.ts'
import { type Mac, isStation, parseMac } from '../../src/ip/mac.ts'

/** `Backend` of the network config for Type vxlan. */
export interface VxlanConfig {
  /** VXLAN network identifier, 24 bits (RFC 7348). */
  readonly vni: number
  /** UDP port; 8472 is the Linux kernel's and Go flannel's default, not IANA's 4789. */
  readonly port: number
  /** Wanted MTU in bytes; 0: the underlay's less the encapsulation. */
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

export const DEFAULT_PORT = 8472

export function parseConfig(section: ConfigSection): VxlanConfig {
  const port = section.integer('Port', DEFAULT_PORT, 0, 65_535)
  const mtu = section.integer('MTU', 0, 0, 65_535)
  return {
    vni: section.integer('VNI', 1, 1, 0xff_ffff),
    // Go's flanneld hands 0 to the kernel, which takes its default.
    port: port === 0 ? DEFAULT_PORT : port,
    mtu,
    directRouting: section.boolean('DirectRouting', false),
    learning: section.boolean('Learning', false),
    gbp: section.boolean('GBP', false),
  }
}

/** Checks `{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}`. Old leases carry no VNI. */
export function parsePeer(data: unknown, config: VxlanConfig): Checked<VxlanPeer> {
  if (typeof data !== 'object' || data === null) return { ok: false, reason: 'backend-data', detail: 'no BackendData' }
  const { VNI: vni, VtepMAC: text } = data as { readonly VNI?: unknown; readonly VtepMAC?: unknown }
  if (vni !== undefined && vni !== config.vni) {
    return { ok: false, reason: 'vni', detail: `VNI ${String(vni)}, ours is ${config.vni}` }
  }
  const mac = typeof text === 'string' ? parseMac(text) : undefined
  if (mac === undefined) return { ok: false, reason: 'mac', detail: `VtepMAC ${JSON.stringify(text)} is no MAC` }
  if (!isStation(mac)) return { ok: false, reason: 'mac', detail: `VtepMAC ${mac} is zero or a group address` }
  return { ok: true, value: { mac } }
}
