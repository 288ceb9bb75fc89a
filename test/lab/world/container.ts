// Stand-ins for containers where Docker itself is not what is tested: a namespace on a bridge with the leased subnet.
import { type Place, within } from './space.ts'
import type { SubnetEnv } from '../actors/flanneld.ts'

/** Something with an address in the overlay, in which commands run. */
export interface Container extends Place {
  readonly address: string
}

/** A container on a bridge, which is made like dockerd's: the subnet's first address, the leased MTU. */
export async function createContainer(host: Place, env: SubnetEnv, last = 2, bridge = 'docker0'): Promise<Container> {
  const gateway = env['FLANNEL_SUBNET'] ?? ''
  const mtu = env['FLANNEL_MTU'] ?? ''
  const [address = '', length = ''] = gateway.split('/')
  const own = address.replace(/\d+$/, String(last))
  const broadcast = address.includes(':') ? '' : 'brd +'
  const name = bridge === 'docker0' ? `c${last}` : `${bridge}-${last}`
  // Names of namespaces live in /run/netns, and /run is the host's own. No address waits a second for others to object.
  await host.run(`set -e
    if ! ip link show ${bridge} >/dev/null 2>&1; then
      ip link add ${bridge} type bridge
      sysctl -q -w net.ipv6.conf.${bridge}.accept_dad=0
      ip addr add ${gateway} ${broadcast} dev ${bridge}
      ip link set ${bridge} mtu ${mtu} up
    fi
    ip netns add ${name}
    ip link add v${name} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${name}
    ip link set v${name} master ${bridge} up
    ip -n ${name} link set lo up
    ip netns exec ${name} sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
    ip -n ${name} addr add ${own}/${length} dev eth0
    ip -n ${name} link set eth0 up
    ip -n ${name} route add default via ${address}`)
  return {
    ...within(host, `${host.name}/${name}`, `ip netns exec ${name}`),
    address: own,
  }
}
