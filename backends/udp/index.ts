// udp: packets to a peer travel in UDP between the hosts, without a header of their own. A program carries them between a TUN device and a
// socket (src/helpers/forwarder.ts), so that each packet leaves the kernel and comes back: for hosts without vxlan. The device, its
// address and its MTU are as Go's flanneld makes them; the routes are those of peers instead of one for the whole network.
import type { Backend, ConfigKeys } from '../../src/backend.ts'
import { addressOf, bitsOf } from '../../src/ip/prefix.ts'
import { TUN_DEVICE } from '../../src/kernel/flannel-link.ts'
import { peerRoute } from '../peer-route.ts'

/** `Backend` of the network config for Type udp. */
export interface UdpConfig {
  readonly port: number
}

/** Headers of IPv4 without options (RFC 791) and UDP (RFC 768). */
const OVERHEAD = 28
/** The least MTU under the device: 68 (RFC 791) and the encapsulation. */
const LEAST_MTU = 68 + OVERHEAD

const KEYS = {
  Port: {
    default: 8285,
    range: [1, 65_535],
    doc: 'UDP port on which hosts send and receive',
    change: 'packets are lost until every host has followed, for less than a second',
  },
} as const satisfies ConfigKeys

export const udp: Backend<UdpConfig, null> = {
  type: 'udp',
  families: [4],
  unnamed: true,
  configKeys: KEYS,
  parseConfig: (section) => ({ port: section.integer('Port', KEYS.Port.default, ...KEYS.Port.range) }),
  refuses: ({ name, mtu }) =>
    mtu >= LEAST_MTU ? undefined : `the MTU of ${name} is ${mtu}: udp needs ${LEAST_MTU} at least`,
  requires: ({ config }) => [
    {
      type: 'file',
      key: 'Backend.Type',
      path: '/dev/net/tun',
      fix: 'load the module with modprobe tun, and let flanneld use the device node; or set Backend.Type to vxlan',
    },
    { type: 'udp-port', key: 'Backend.Port', port: config.port },
  ],
  receives: ({ config }) => [{ type: 'udp', device: TUN_DEVICE, port: config.port }],
  mtu: ({ external }) => external.mtu - OVERHEAD,
  receivesDirectly: () => false,
  leaseData: () => undefined,
  parsePeerData: () => ({ ok: true, value: null }),
  exclusive: () => undefined,
  base: ({ family, external, subnet }) => [
    { kind: 'link', type: 'tun', name: TUN_DEVICE, mtu: external.mtu - OVERHEAD, up: true },
    { kind: 'address', device: TUN_DEVICE, address: addressOf(subnet), length: bitsOf(family) },
  ],
  helpers: ({ config, external, subnet }) => [
    { type: 'forwarder', name: TUN_DEVICE, self: addressOf(subnet), local: external.address, port: config.port },
  ],
  helperPeer: ({ config }, { publicAddress, sourceAddress }) => ({
    type: 'forwarder',
    name: TUN_DEVICE,
    address: publicAddress,
    source: sourceAddress,
    port: config.port,
  }),
  helperSender: ({ config }, { publicAddress, sourceAddress }) => ({
    type: 'forwarder',
    name: TUN_DEVICE,
    address: publicAddress,
    source: sourceAddress,
    // What the kernel still routes this way arrives.
    port: config.port,
  }),
  wraps: ({ config, external }, { publicAddress }) => ({
    from: external.address,
    to: publicAddress,
    overhead: OVERHEAD,
    outer: `udp ${config.port}`,
  }),
  forPeer: ({ nexthops }, { subnet }) => ({
    ok: true,
    // A device without link addresses takes any gateway.
    value: peerRoute({ subnet, gateway: addressOf(subnet), device: TUN_DEVICE, onlink: true, nexthops }),
  }),
}
