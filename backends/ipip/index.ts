// ipip: packets to a peer travel in IP packets between the hosts (IP in IP, RFC 2003), with 20 bytes more and no UDP. The device,
// its addresses and the routes are as Go's flanneld makes them. `tunl0`, which the kernel's module makes by itself, is left alone.
import type { Backend, ConfigKeys, Peer, Self } from '../../src/backend.ts'
import { addressOf, bitsOf, contains } from '../../src/ip/prefix.ts'
import { IPIP_DEVICE, IPIP_PROTOCOL } from '../../src/kernel/flannel-link.ts'
import { peerRoute } from '../peer-route.ts'

/** `Backend` of the network config for Type ipip. */
export interface IpipConfig {
  /** Peers on our own LAN get plain routes. */
  readonly directRouting: boolean
}

/** An IPv4 header without options (RFC 791). */
const OVERHEAD = 20
/** The least MTU under the device: 68 (RFC 791) and the encapsulation. */
const LEAST_MTU = 68 + OVERHEAD

const KEYS = {
  DirectRouting: {
    default: false,
    doc: 'plain routes without a tunnel to hosts of the same local network; containers keep the MTU of the tunnel',
  },
} as const satisfies ConfigKeys

/** Whether a peer on our own LAN gets a plain route. */
function isDirect({ config, external }: Self<IpipConfig>, { publicAddress }: Peer): boolean {
  return config.directRouting && external.onlink.some((prefix) => contains(prefix, publicAddress))
}

export const ipip: Backend<IpipConfig, null> = {
  type: 'ipip',
  families: [4],
  configKeys: KEYS,
  parseConfig: (section) => ({ directRouting: section.boolean('DirectRouting', KEYS.DirectRouting.default) }),
  refuses: ({ name, mtu }) =>
    mtu >= LEAST_MTU ? undefined : `the MTU of ${name} is ${mtu}: ipip needs ${LEAST_MTU} at least`,
  receives: () => [{ type: 'protocol', device: IPIP_DEVICE, protocol: IPIP_PROTOCOL }],
  mtu: ({ external }) => external.mtu - OVERHEAD,
  receivesDirectly: ({ directRouting }) => directRouting,
  leaseData: () => undefined,
  parsePeerData: () => ({ ok: true, value: null }),
  exclusive: () => undefined,
  base: ({ family, external, subnet }) => [
    {
      kind: 'link',
      type: 'ipip',
      name: IPIP_DEVICE,
      local: external.address,
      mtu: external.mtu - OVERHEAD,
      up: true,
    },
    { kind: 'address', device: IPIP_DEVICE, address: addressOf(subnet), length: bitsOf(family) },
  ],
  wraps: (self, peer) =>
    isDirect(self, peer)
      ? undefined
      : {
          from: self.external.address,
          to: peer.publicAddress,
          overhead: OVERHEAD,
          outer: `ip protocol ${IPIP_PROTOCOL}`,
        },
  forPeer: (self, peer) => {
    const { external, nexthops } = self
    const { subnet, publicAddress } = peer
    const direct = isDirect(self, peer)
    const device = direct ? external.name : IPIP_DEVICE
    return {
      ok: true,
      value: peerRoute({ subnet, gateway: publicAddress, device, onlink: !direct, nexthops }),
    }
  },
}
