// What vxlan wants of the kernel: one device for all, and per peer the three entries that replace flooding:
// a route to the peer's subnet by its VTEP address, the VTEP's MAC (neighbour), and the host behind that MAC (FDB).
import type { Peer, Self, Wrapping } from '../../src/backend.ts'
import { type Mac, macFromSeed } from '../../src/ip/mac.ts'
import { addressOf, bitsOf, contains } from '../../src/ip/prefix.ts'
import { VXLAN_OVERHEAD, linkName } from '../../src/kernel/flannel-link.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { peerRoute } from '../peer-route.ts'
import type { VxlanConfig, VxlanPeer } from './config.ts'

/**
 * The MAC our device has already, else one made from the host's identity and its subnet: the same after every restart.
 * Of a cloned host the identity is the same, its subnet is not; two VTEPs with one MAC would take each other's frames.
 */
export function vtepMac(self: Self<VxlanConfig>): Mac {
  const { family, config, hostId, keptMacs, subnet } = self
  return keptMacs.get(linkName(family, config.vni)) ?? macFromSeed(`vtep ${hostId} ${config.vni} ${subnet}`)
}

/**
 * What is left for containers of the outer packets' MTU. That is `Backend.MTU`, as in Go flannel, and the interface's at
 * most: the kernel clamps the device's MTU silently to what the underlay carries; asking for that keeps both equal.
 */
export function mtu({ config, external }: Self<VxlanConfig>): number {
  const outer = config.mtu === 0 ? external.mtu : Math.min(config.mtu, external.mtu)
  return outer - VXLAN_OVERHEAD[external.family]
}

export function base(self: Self<VxlanConfig>): readonly KernelObject[] {
  const { family, config, external, subnet } = self
  const name = linkName(family, config.vni)
  return [
    {
      kind: 'link',
      type: 'vxlan',
      name,
      vni: config.vni,
      port: config.port,
      local: external.address,
      underlay: external.name,
      mtu: mtu(self),
      mac: vtepMac(self),
      learning: config.learning,
      gbp: config.gbp,
      up: true,
    },
    { kind: 'address', device: name, address: addressOf(subnet), length: bitsOf(family) },
  ]
}

/** Whether a peer on our own LAN gets a plain route. */
function isDirect({ config, external }: Self<VxlanConfig>, { publicAddress }: Peer<VxlanPeer>): boolean {
  return config.directRouting && external.onlink.some((prefix) => contains(prefix, publicAddress))
}

export function wraps(self: Self<VxlanConfig>, peer: Peer<VxlanPeer>): Wrapping | undefined {
  const { config, external } = self
  if (isDirect(self, peer)) return undefined
  const { family, address } = external
  return { from: address, to: peer.publicAddress, overhead: VXLAN_OVERHEAD[family], outer: `udp ${config.port}` }
}

export function forPeer(self: Self<VxlanConfig>, peer: Peer<VxlanPeer>): readonly KernelObject[] {
  const { family, config, external, nexthops } = self
  const direct = isDirect(self, peer)
  const gateway = direct ? peer.publicAddress : addressOf(peer.subnet)
  const device = direct ? external.name : linkName(family, config.vni)
  const route = peerRoute({ subnet: peer.subnet, gateway, device, onlink: !direct, nexthops })
  if (direct) return route
  return [
    { kind: 'fdb', device, mac: peer.data.mac, destination: peer.publicAddress },
    { kind: 'neighbor', device, address: gateway, mac: peer.data.mac },
    ...route,
  ]
}
