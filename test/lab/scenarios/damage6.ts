// What can be done by hand to what the daemon keeps in the kernel for IPv6: the like of damage.ts. The kernel does more by itself
// here: a device that goes down loses its addresses, and with them its routes.
import type { Damage } from './damage.ts'

/** What a peer's route may suffer, whatever backend made it. */
const ROUTE: readonly Damage[] = [
  { fault: 'route deleted', script: ({ peer }) => `ip -6 route del ${peer}:/64` },
  {
    fault: 'route pointed at a wrong gateway',
    script: ({ peer }) => `ip -6 route replace ${peer}:/64 via fd00:19::78 dev enp0s3`,
  },
  {
    fault: 'a better route beside it',
    script: ({ peer }) => `ip -6 route add ${peer}:/64 via fd00:19::78 dev enp0s3 metric 1 proto 142`,
  },
  { fault: 'all our routes flushed', script: () => 'ip -6 route flush proto 142' },
  {
    fault: 'uplink down and up',
    // Whoever gave the interface its address gives it again.
    script: () => 'ip link set enp0s3 down; ip link set enp0s3 up; ip addr add fd00:19::79/64 dev enp0s3 nodad',
  },
]

/** What only VXLAN has. */
const VXLAN: readonly Damage[] = [
  { fault: 'neighbour deleted', script: ({ peer }) => `ip -6 neigh del ${peer}: dev flannel-v6.1` },
  {
    fault: 'neighbour given a wrong MAC',
    script: ({ peer }) => `ip -6 neigh replace ${peer}: lladdr 0a:00:00:00:00:99 nud permanent dev flannel-v6.1`,
  },
  {
    fault: 'FDB entry deleted',
    script: ({ mac, address }) => `bridge fdb del ${mac} dev flannel-v6.1 dst ${address} self`,
  },
  {
    fault: 'FDB entry pointed at a wrong host',
    script: ({ mac }) => `bridge fdb replace ${mac} dev flannel-v6.1 dst fd00:19::78 self permanent`,
  },
  { fault: 'device down', script: () => 'ip link set flannel-v6.1 down' },
  { fault: 'device down and up', script: () => 'ip link set flannel-v6.1 down; ip link set flannel-v6.1 up' },
  { fault: 'device deleted', script: () => 'ip link del flannel-v6.1' },
  {
    fault: 'device made by somebody else',
    script: () =>
      'ip link del flannel-v6.1; ip link add flannel-v6.1 type vxlan id 9 dstport 4789 || true; ip link set flannel-v6.1 up || true',
  },
  { fault: 'device MAC changed', script: () => 'ip link set flannel-v6.1 address 0a:00:00:00:00:98' },
  { fault: 'device MTU changed', script: () => 'ip link set flannel-v6.1 mtu 1400' },
  { fault: 'device MTU too small for IPv6', script: () => 'ip link set flannel-v6.1 mtu 1200' },
  { fault: 'device local address changed', script: () => 'ip link set flannel-v6.1 type vxlan local fd00:19::99' },
  { fault: 'address removed', script: ({ own }) => `ip addr del ${own}:/128 dev flannel-v6.1` },
  { fault: 'addresses flushed', script: () => 'ip addr flush dev flannel-v6.1' },
  { fault: 'routes of the device flushed', script: () => 'ip -6 route flush dev flannel-v6.1 proto 142' },
]

/** Damage to what the kernel forwards IPv6 by. */
export const DAMAGES6 = { vxlan: [...ROUTE, ...VXLAN], hostGw: ROUTE }
