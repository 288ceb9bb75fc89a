// What vxlan wants of the kernel: one device for all, and per peer the three entries that replace flooding:
// a route to the peer's subnet by its VTEP address, the VTEP's MAC (neighbour), and the host behind that MAC (FDB).
import type { Peer, Self } from '../../src/backend.ts'
import { familyOf } from '../../src/ip/address.ts'
import { type Mac, macFromSeed } from '../../src/ip/mac.ts'
import { addressOf, contains } from '../../src/ip/prefix.ts'
import type { KernelObject } from '../../src/kernel/state.ts'
import { wayTo } from '../peer-route.ts'
import type { VxlanConfig, VxlanPeer } from './config.ts'

/** Outer Ethernet 14 + IP 20 or 40 + UDP 8 + VXLAN 8 (RFC 7348, section 5). */
const OVERHEAD = { 4: 50, 6: 70 } as const

function deviceName(config: VxlanConfig): string {
  return `flannel.${config.vni}`
}

/**
 * The MAC our device has already, else one made from the host's identity and its subnet: the same after every restart.
 * Of a cloned host the identity is the same, its subnet is not; two VTEPs with one MAC would take each other's frames.
 */
export function vtepMac(self: Self<VxlanConfig>): Mac {
  const { config, hostId, keptMacs, subnet } = self
  return keptMacs.get(deviceName(config)) ?? macFromSeed(`vtep ${hostId} ${config.vni} ${subnet}`)
}

/**
 * What is left for containers of the outer packets' MTU. That is `Backend.MTU`, as in Go flannel, and the interface's at
 * most: the kernel clamps the device's MTU silently to what the underlay carries; asking for that keeps both equal.
 */
export function mtu({ config, external }: Self<VxlanConfig>): number {
  const outer = config.mtu === 0 ? external.mtu : Math.min(config.mtu, external.mtu)
  return outer - OVERHEAD[familyOf(external.address)]
}

export function base(self: Self<VxlanConfig>): readonly KernelObject[] {
  const { config, external, subnet } = self
  const name = deviceName(config)
  return [
    {
      kind: 'link',
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
    { kind: 'address', device: name, address: addressOf(subnet), length: familyOf(addressOf(subnet)) === 4 ? 32 : 128 },
  ]
}

export function forPeer(self: Self<VxlanConfig>, peer: Peer<VxlanPeer>): readonly KernelObject[] {
  const { config, external, nexthops } = self
  const direct = config.directRouting && external.onlink.some((prefix) => contains(prefix, peer.publicAddress))
  const gateway = direct ? peer.publicAddress : addressOf(peer.subnet)
  const device = direct ? external.name : deviceName(config)
  const way = wayTo(peer.subnet, gateway, device, !direct, nexthops)
  if (direct) return way
  return [
    { kind: 'fdb', device, mac: peer.data.mac, destination: peer.publicAddress },
    { kind: 'neighbor', device, address: gateway, mac: peer.data.mac },
    ...way,
  ]
}
