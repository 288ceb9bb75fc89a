// What can be done by hand to what the daemon keeps in the kernel: the list, and the commands that do it.
import { type Node, macOf } from './cluster.ts'

/** What the commands name. */
export interface Target {
  /** "10.2.21", ours. */
  readonly own: string
  /** "10.2.22", the peer's, with its VTEP's MAC (empty without one) and its address. */
  readonly peer: string
  readonly mac: string
  readonly address: string
}

/** A fault and how to make it. */
export interface Damage {
  readonly fault: string
  /** A shell script for the host. */
  readonly script: (target: Target) => string
}

/** Milliseconds within which each of these is repaired. */
export const WITHIN = 1000
/** Milliseconds within which firewall rules are repaired. */
export const RULES_WITHIN = 2000

/** What a peer's route may suffer, whatever backend made it. */
const ROUTE: readonly Damage[] = [
  { fault: 'route deleted', script: ({ peer }) => `ip route del ${peer}.0/24` },
  {
    fault: 'route pointed at a wrong gateway',
    script: ({ peer }) => `ip route replace ${peer}.0/24 via 192.168.19.120 dev enp0s3`,
  },
  {
    fault: 'all routes flushed',
    // One by one, for ip cannot flush routes that lead through nexthop objects. What was not ours is put back.
    script: ({ own }) => `ip route show | grep -v 'proto 142' >/run/saved
      ip route show | grep -v ^blackhole | cut -d ' ' -f 1 | xargs -n 1 ip route del
      ip route del blackhole ${own}.0/24
      while read -r route; do ip route add $route; done </run/saved`,
  },
  { fault: 'uplink down and up', script: () => 'ip link set enp0s3 down; ip link set enp0s3 up' },
]

/** What only VXLAN has. */
const VXLAN: readonly Damage[] = [
  { fault: 'neighbour deleted', script: ({ peer }) => `ip neigh del ${peer}.0 dev flannel.1` },
  {
    fault: 'neighbour given a wrong MAC',
    script: ({ peer }) => `ip neigh replace ${peer}.0 lladdr 0a:00:00:00:00:99 nud permanent dev flannel.1`,
  },
  {
    fault: 'FDB entry deleted',
    script: ({ mac, address }) => `bridge fdb del ${mac} dev flannel.1 dst ${address} self`,
  },
  {
    fault: 'FDB entry pointed at a wrong host',
    script: ({ mac }) => `bridge fdb replace ${mac} dev flannel.1 dst 192.168.19.120 self permanent`,
  },
  { fault: 'device down', script: () => 'ip link set flannel.1 down' },
  { fault: 'device down and up', script: () => 'ip link set flannel.1 down; ip link set flannel.1 up' },
  { fault: 'device deleted', script: () => 'ip link del flannel.1' },
  {
    fault: 'device made by somebody else',
    script: () =>
      'ip link del flannel.1; ip link add flannel.1 type vxlan id 9 dstport 4789 || true; ip link set flannel.1 up || true',
  },
  { fault: 'device MAC changed', script: () => 'ip link set flannel.1 address 0a:00:00:00:00:98' },
  { fault: 'device MTU changed', script: () => 'ip link set flannel.1 mtu 1200' },
  {
    fault: 'device local address changed',
    script: () => 'ip link set flannel.1 type vxlan local 127.0.0.9',
  },
  { fault: 'address removed', script: ({ own }) => `ip addr del ${own}.0/32 dev flannel.1` },
  { fault: 'addresses flushed', script: () => 'ip addr flush dev flannel.1' },
  {
    fault: 'routes of the device flushed', // One by one: ip cannot flush routes that lead through nexthop objects.
    script: () => "ip route show dev flannel.1 | cut -d ' ' -f 1 | xargs -n 1 ip route del",
  },
]

/** The number of the nexthop object that leads to a subnet: its address, as a number. */
function nexthopOf(subnet: string): number {
  return [...subnet.split('.'), '0'].reduce((sum, byte) => sum * 256 + Number(byte), 0)
}

/** What only nexthop objects suffer. */
const NEXTHOPS: readonly Damage[] = [
  { fault: 'nexthop deleted', script: ({ peer }) => `ip nexthop del id ${nexthopOf(peer)}` },
  {
    fault: 'nexthop pointed at a wrong gateway',
    script: ({ peer }) => `ip nexthop replace id ${nexthopOf(peer)} via 192.168.19.120 dev enp0s3 proto 142`,
  },
  { fault: 'nexthops flushed', script: () => 'ip nexthop flush' },
]

/** What takes the nexthop objects away with it, or leads past them. */
const TAKES_NEXTHOPS = ['route deleted', 'all routes flushed', 'uplink down and up', 'device down', 'device deleted']

/** Damage to what the kernel forwards by; `nexthops` has what differs there, `all` every one of them once. */
export const DAMAGES = {
  vxlan: [...ROUTE, ...VXLAN],
  nexthops: [...[...ROUTE, ...VXLAN].filter(({ fault }) => TAKES_NEXTHOPS.includes(fault)), ...NEXTHOPS],
  hostGw: ROUTE,
  all: [...ROUTE, ...VXLAN, ...NEXTHOPS],
}

/** What a damage on `own` names of `peer`. */
export async function targetOf(own: Node, peer: Node, device: string | undefined): Promise<Target> {
  return {
    own: own.subnet,
    peer: peer.subnet,
    mac: device === undefined ? '' : await macOf(peer, device),
    address: own.subnet.includes(':') ? peer.host.address6 : peer.host.address,
  }
}

/** An administrator's objects, similar to ours: none of them may change. */
export const FOREIGN = `set -e
  ip link add vx77 type vxlan id 77 dstport 4789 local 192.168.19.121 nolearning
  ip addr add 172.16.77.1/24 dev vx77
  ip link set vx77 up
  bridge fdb add 0a:00:00:00:00:77 dev vx77 dst 192.168.19.77 self permanent
  ip neigh add 172.16.77.2 lladdr 0a:00:00:00:00:77 nud permanent dev vx77
  ip route add 172.16.78.0/24 via 172.16.77.2 dev vx77
  ip route add 203.0.113.0/24 via 192.168.19.120 dev enp0s3
  ip neigh add 192.168.19.77 lladdr 0a:00:00:00:00:76 nud permanent dev enp0s3
  iptables -A FORWARD -s 198.51.100.0/24 -j DROP
  nft add table inet theirs
  nft add chain inet theirs input '{ type filter hook input priority 0; }'
  nft add rule inet theirs input ip saddr 198.51.100.0/24 drop`
