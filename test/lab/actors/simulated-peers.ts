// One host that answers for many peers: leases of hosts that are not there, whose tunnel ends and public addresses are all here.
// What packets to them meet is real: the tunnel, the kernel's own ICMP answers, and rules that drop what a test wants lost.
import { macFromSeed } from '../../../src/ip/mac.ts'
import type { Host, Lan } from '../world/lab.ts'
import { putManyLeases, vxlanValue } from './raw-leases.ts'
import type { EtcdHost } from '../world/etcd.ts'

/** A peer that is answered for. */
export interface SimulatedPeer {
  /** "10.2.7.0/24" */
  readonly subnet: string
  readonly vtep: string
  readonly publicAddress: string
}

/** The hosts answered for. */
export interface PeerSimulator extends Host {
  readonly peers: readonly SimulatedPeer[]
  /** From now on packets to these tunnel ends are lost. */
  silence(peers: readonly SimulatedPeer[]): Promise<void>
}

/** The i-th peer of a /20 of subnets in `10.2.0.0/16`: /28 each, when there are many. */
export function simulatedPeer(i: number, length: 24 | 28 = 24): SimulatedPeer {
  const at = length === 24 ? (i + 1) << 8 : (i + 1) << 4
  const vtep = `10.2.${at >> 8}.${at & 255}`
  // The first ones are on the LAN, the others behind this host.
  const publicAddress = i < 4 ? `192.168.19.${200 + i}` : `192.168.${32 + (i >> 7)}.${(i & 127) + 1}`
  return { subnet: `${vtep}/${length}`, vtep, publicAddress }
}

/**
 * Host .150 of `lan`, which answers for `count` peers, and their leases in etcd. A host that shall reach them needs
 * the routes of crowdRoutes.
 */
export async function simulatePeers(
  lan: Lan,
  etcd: EtcdHost,
  count: number,
  length: 24 | 28 = 24,
): Promise<PeerSimulator> {
  const host = await lan.host(150)
  const peers = Array.from({ length: count }, (_, i) => simulatedPeer(i, length))
  // What leaves the tunnel comes from the first peer's address, which every guard knows. A local route makes an address answer without being on a device; frames to any MAC are taken for our own.
  await host.run(`set -e
    for i in 200 201 202 203; do ip addr add 192.168.19.$i/24 dev enp0s3; done
    ip route add local 192.168.32.0/19 dev lo
    ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.19.200 dev enp0s3 nolearning
    ip link set flannel.1 mtu 1450 up
    ip rule add lookup local pref 10 && ip rule del pref 0
    ip route add local 10.2.0.0/16 dev lo
    ip addr add 10.2.255.255/32 dev flannel.1`)
  await host.run(
    'nft -f -',
    `table netdev simulated {
      chain arrivals { type filter hook ingress device "flannel.1" priority 0; meta pkttype set host; }
    }
    table inet simulated {
      set silent { type ipv4_addr; }
      chain answers { type filter hook input priority 0; iifname "flannel.1" ip daddr @silent drop; }
    }`,
  )
  const [, lease = ''] = /lease (\w+) granted/.exec(await etcd.run('etcdctl lease grant 86400')) ?? []
  const leases = peers.map(({ vtep, publicAddress }) => ({
    name: `${vtep}-${length}`,
    value: vxlanValue(publicAddress, macFromSeed(vtep)),
  }))
  await putManyLeases(etcd, leases, lease)
  return {
    ...host,
    peers,
    async silence(some) {
      await host.run(`nft add element inet simulated silent '{ ${some.map(({ vtep }) => vtep).join(', ')} }'`)
    },
  }
}

/** Lets a host reach the simulator's public addresses, and the simulator its tunnel end. */
export async function routeToPeers(simulator: PeerSimulator, host: Host): Promise<void> {
  await host.run(`ip route add 192.168.32.0/19 via ${simulator.address}`)
}

/** Lets the simulator answer into the tunnel of a host whose daemon runs. */
export async function routePeersTo(simulator: PeerSimulator, host: Host): Promise<void> {
  const mac = /link\/ether (\S+)/.exec(await host.run('ip link show flannel.1'))?.[1] ?? ''
  const vtep = /inet (10\.2\.\d+\.\d+)\/32/.exec(await host.run('ip addr show flannel.1'))?.[1] ?? ''
  await simulator.run(`set -e
    bridge fdb append ${mac} dev flannel.1 dst ${host.address}
    ip neigh replace ${vtep} lladdr ${mac} dev flannel.1 nud permanent
    ip route add ${vtep}/32 dev flannel.1 table 100
    ip rule add to ${vtep}/32 lookup 100 pref 5`)
}
