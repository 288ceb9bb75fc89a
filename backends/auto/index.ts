// auto: each peer is reached by the best way that probes prove. A plain route where the hosts share a link and it carries packets of
// containers, else vxlan. Our own: leases are those of vxlan, so that a host with Go's flanneld reaches us and is reached by vxlan.
import type { Backend, Peer, Self } from '../../src/backend.ts'
import { contains } from '../../src/ip/prefix.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { peerRoute } from '../peer-route.ts'
import { vxlan } from '../vxlan/index.ts'
import { base, forPeer, mtu, wraps } from '../vxlan/kernel-objects.ts'
import { AUTO_KEYS, type AutoConfig, type AutoPeer, parseAutoConfig, parseAutoPeer } from './config.ts'

type AutoSelf = Self<AutoConfig>

export const auto: Backend<AutoConfig, AutoPeer> = {
  type: 'auto',
  leaseType: vxlan.type,
  configKeys: AUTO_KEYS,
  parseConfig: parseAutoConfig,
  refuses: (external) => vxlan.refuses(external),
  mtu,
  receivesDirectly: () => true,
  leaseData: (self) => ({ ...vxlan.leaseData(self), Direct: takesDirect(self) }),
  parsePeerData: parseAutoPeer,
  exclusive: (data) => vxlan.exclusive(data),
  base,
  forPeer: (self, peer) => ({ ok: true, value: isDirect(self, peer) ? directly(self, peer) : forPeer(self, peer) }),
  wraps: (self, peer) => {
    const wrapping = isDirect(self, peer) ? undefined : wraps(self, peer)
    return wrapping && { ...wrapping, by: vxlan.type }
  },
  tries: mayBeDirect,
  explains: (self, peer) => {
    if (peer.data.takesDirect === undefined) return 'its lease says so'
    if (!isOnLink(self, peer)) return 'on another network'
    if (!mayBeDirect(self, peer)) return 'behind a NAT'
    if (peer.direct === undefined) return 'on our LAN, which is being tried'
    return `on our LAN, which ${peer.direct ? 'carries' : 'does not carry'} packets of containers`
  },
}

/** Whether peers can send to us without a tunnel: behind a NAT they could not. */
function takesDirect({ external }: AutoSelf): boolean {
  return external.publicAddress === external.address
}

function isOnLink({ external }: AutoSelf, { publicAddress }: Peer<AutoPeer>): boolean {
  return external.onlink.some((prefix) => contains(prefix, publicAddress))
}

function mayBeDirect(self: AutoSelf, peer: Peer<AutoPeer>): boolean {
  return takesDirect(self) && peer.data.takesDirect === true && isOnLink(self, peer)
}

function isDirect(self: AutoSelf, peer: Peer<AutoPeer>): boolean {
  return peer.direct === true && mayBeDirect(self, peer)
}

/** The tunnel's entries stay, so that a change of the way is the change of one route: no packet is lost. */
function directly(self: AutoSelf, peer: Peer<AutoPeer>): readonly KernelObject[] {
  const { external, nexthops } = self
  const { subnet, publicAddress: gateway } = peer
  const entries = forPeer(self, peer).filter(({ kind }) => kind === 'fdb' || kind === 'neighbor')
  return [...entries, ...peerRoute({ subnet, gateway, device: external.name, onlink: false, nexthops })]
}
