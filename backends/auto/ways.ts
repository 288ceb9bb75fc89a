// The ways to a peer, and which one packets take. Pure, and the one place that decides.
import type { Peer, Self } from '../../src/backend.ts'
import { contains } from '../../src/ip/prefix.ts'
import type { WireguardConfig, WireguardData } from '../wireguard/config.ts'
import { KEY_NAME } from '../wireguard/kernel-objects.ts'
import type { AutoConfig, AutoPeer } from './config.ts'

export type AutoSelf = Self<AutoConfig>

/** Our host, and a peer, as wireguard sees them. */
export interface Encrypted {
  readonly self: Self<WireguardConfig>
  readonly peer: Peer<WireguardData>
}

/** How packets to a peer go. */
type Way =
  | { readonly by: 'direct' | 'vxlan' }
  | { readonly by: 'wireguard'; readonly self: Encrypted['self']; readonly peer: Encrypted['peer'] }

/** The way, and why it is that one, for people. */
export interface ChosenWay {
  readonly way: Way
  readonly why: string
}

const VXLAN: Way = { by: 'vxlan' }

/** The way of packets to a peer. */
export function chosenWay(self: AutoSelf, peer: Peer<AutoPeer>): ChosenWay {
  const { encrypt } = self.config
  if (peer.data.takesDirect === undefined) return { way: VXLAN, why: 'its lease says so' }
  const onLink = isOnLink(self, peer)
  const place = onLink ? 'on our LAN' : 'on another network'
  if (encrypt === 'always' || (encrypt === 'beyond-link' && !onLink)) {
    const encrypted = peer.data.encrypts ? encryptedWay(self, peer) : undefined
    if (encrypted === undefined) return { way: VXLAN, why: `${place}, not encrypted: it has no key, or we have none` }
    return { way: { by: 'wireguard', ...encrypted }, why: `${place}, and Encrypt is ${encrypt}` }
  }
  if (!onLink) return { way: VXLAN, why: place }
  if (!mayBeDirect(self, peer)) return { way: VXLAN, why: 'behind a NAT' }
  if (peer.direct === undefined) return { way: VXLAN, why: `${place}, which is being tried` }
  const carries = peer.direct ? 'carries' : 'does not carry'
  return { way: peer.direct ? { by: 'direct' } : VXLAN, why: `${place}, which ${carries} packets of containers` }
}

/** Our host as wireguard sees it; undefined where nothing is encrypted. */
export function encryptedSelf(self: AutoSelf): Encrypted['self'] | undefined {
  const { encrypt, wireguard } = self.config
  return encrypt === 'never' ? undefined : { ...self, config: wireguard }
}

/**
 * What wireguard needs for a peer, whatever Encrypt says: it may not have followed a change of it yet. Undefined where one of the two has
 * no key.
 */
export function encryptedWay(self: AutoSelf, peer: Peer<AutoPeer>): Encrypted | undefined {
  const { wireguard: data } = peer.data
  if (!self.prepared.has(KEY_NAME) || data === undefined) return undefined
  return { self: { ...self, config: self.config.wireguard }, peer: { ...peer, data } }
}

/** Whether peers can send to us without a tunnel: behind a NAT they could not. */
export function takesDirect({ config, external }: AutoSelf): boolean {
  return config.encrypt !== 'always' && external.publicAddress === external.address
}

/** Whether a direct way to a peer may be looked for. */
export function mayBeDirect(self: AutoSelf, peer: Peer<AutoPeer>): boolean {
  return takesDirect(self) && peer.data.takesDirect === true && isOnLink(self, peer)
}

function isOnLink({ external }: AutoSelf, { publicAddress }: Peer<AutoPeer>): boolean {
  return external.onlink.some((prefix) => contains(prefix, publicAddress))
}
