// The auto part of the network config, and of a peer's lease: those of vxlan, and what decides between the ways to a peer.
import type { Checked, ConfigKeys, ConfigSection } from '../../src/backend.ts'
import { KEYS, type VxlanConfig, type VxlanPeer, parseConfig, parsePeer } from '../vxlan/config.ts'

/** `Backend` of the network config for Type auto. */
export type AutoConfig = VxlanConfig

/** `BackendData` of a lease. */
export interface AutoPeer extends VxlanPeer {
  /** Whether its host takes packets that no tunnel wraps; undefined in leases that do not say: of Go's flanneld, say. */
  readonly takesDirect: boolean | undefined
}

export const AUTO_KEYS = {
  VNI: KEYS.VNI,
  Port: KEYS.Port,
  MTU: KEYS.MTU,
  Learning: KEYS.Learning,
  GBP: KEYS.GBP,
} as const satisfies ConfigKeys

export function parseAutoConfig(section: ConfigSection): AutoConfig {
  // Whether routes are direct is what probes decide here.
  return parseConfig({
    integer: (...asked) => section.integer(...asked),
    words: (...asked) => section.words(...asked),
    secret: (...asked) => section.secret(...asked),
    boolean: (key, fallback) => (key === 'DirectRouting' ? fallback : section.boolean(key, fallback)),
  })
}

/** Checks `{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44","Direct":true}`. What Go's flanneld does not know it ignores. */
export function parseAutoPeer(data: unknown, config: AutoConfig): Checked<AutoPeer> {
  const tunnel = parsePeer(data, config)
  if (!tunnel.ok) return tunnel
  const { Direct: direct } = data as { readonly Direct?: unknown }
  const takesDirect = typeof direct === 'boolean' ? direct : undefined
  return { ok: true, value: { ...tunnel.value, takesDirect } }
}
