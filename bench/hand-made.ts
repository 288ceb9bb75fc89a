// The topologies of our backends made with ip(8) and bridge(8), as one would for two hosts: limits of the data path.

/** How hosts reach each other's containers. */
export type Mode = 'vxlan' | 'DirectRouting' | 'host-gw'

/** A mode made by hand: the MTU of its containers, and what a host runs. Host i has 10.253.i.0/24. */
interface HandMade {
  readonly mtu: string
  readonly script: (own: number, address: string, peer: number, peerAddress: string) => string
}

const direct: HandMade['script'] = (_own, _address, peer, peerAddress) =>
  `ip route add 10.253.${peer}.0/24 via ${peerAddress}`

const tunnel: HandMade['script'] = (own, address, peer, peerAddress) => `set -e
  ip link add flannel.1 address 0a:00:00:00:00:0${own} type vxlan id 77 dstport 8472 local ${address} dev enp0s3 nolearning
  ip addr add 10.253.${own}.0/32 dev flannel.1
  ip link set flannel.1 mtu 1450 up
  ip neigh add 10.253.${peer}.0 lladdr 0a:00:00:00:00:0${peer} dev flannel.1 nud permanent
  bridge fdb add 0a:00:00:00:00:0${peer} dev flannel.1 dst ${peerAddress} self permanent
  ip route add 10.253.${peer}.0/24 via 10.253.${peer}.0 dev flannel.1 onlink`

export const HAND: Readonly<Record<Mode, HandMade>> = {
  vxlan: { mtu: '1450', script: tunnel },
  DirectRouting: { mtu: '1450', script: direct },
  'host-gw': { mtu: '1500', script: direct },
}
