// The topologies of our backends made with ip(8) and bridge(8), as one would for two hosts: limits of the data path.

import { join } from 'node:path'
import { ROOT } from '../test/lab/actors/flanneld.ts'

/** How hosts reach each other's containers. */
export type Mode = 'vxlan' | 'DirectRouting' | 'host-gw' | 'udp'

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

/** One packet at a time, as Go's flanneld forwards for its udp backend (bench/plain-forwarder.c). */
const forwarded: HandMade['script'] = (own, address, peer, peerAddress) => `set -e
  gcc -O2 -o /run/plain-forwarder ${join(ROOT, 'bench/plain-forwarder.c')} 2>/dev/null
  /run/plain-forwarder plain0 ${address} 8286 10.253.${own}.0 plain 10.253.${peer}.0 ${peerAddress} >/dev/null 2>&1 &
  until ip link show plain0 >/dev/null 2>&1; do sleep 0.05; done
  ip addr add 10.253.${own}.0/32 dev plain0
  ip link set plain0 mtu 1472 up
  ip route add 10.253.${peer}.0/24 dev plain0`

export const HAND: Readonly<Record<Mode, HandMade>> = {
  vxlan: { mtu: '1450', script: tunnel },
  DirectRouting: { mtu: '1450', script: direct },
  'host-gw': { mtu: '1500', script: direct },
  udp: { mtu: '1472', script: forwarded },
}
