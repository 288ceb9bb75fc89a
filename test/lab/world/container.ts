// Stand-ins for containers where Docker itself is not what is tested: a namespace on a bridge with the leased subnet.
import { type Place, within } from './space.ts'
import type { SubnetEnv } from '../actors/flanneld.ts'

/** Something with an address in the overlay, in which commands run. */
export interface Container extends Place {
  readonly address: string
  /** Its IPv6 address; "" where there is none. */
  readonly address6: string
}

/** A container on a bridge, which is made like dockerd's: each subnet's first address, the leased MTU. */
export async function createContainer(host: Place, env: SubnetEnv, last = 2, bridge = 'docker0'): Promise<Container> {
  const mtu = env['FLANNEL_MTU'] ?? ''
  const gateways = [env['FLANNEL_SUBNET'], env['FLANNEL_IPV6_SUBNET']].flatMap((text) => text ?? [])
  const places = gateways.map((gateway) => placeIn(gateway, last))
  const name = bridge === 'docker0' ? `c${last}` : `${bridge}-${last}`
  // Names of namespaces live in /run/netns, and /run is the host's own. No address waits a second for others to object.
  await host.run(`set -e
    if ! ip link show ${bridge} >/dev/null 2>&1; then
      ip link add ${bridge} type bridge
      sysctl -q -w net.ipv6.conf.${bridge}.accept_dad=0
      ${places.map(({ gateway, broadcast }) => `ip addr add ${gateway} ${broadcast} dev ${bridge}`).join('\n')}
      ip link set ${bridge} mtu ${mtu} up
    fi
    ip netns add ${name}
    ip link add v${name} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${name}
    ip link set v${name} master ${bridge} up
    ip -n ${name} link set lo up
    ip netns exec ${name} sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
    ${places.map(({ own, length }) => `ip -n ${name} addr add ${own}/${length} dev eth0`).join('\n')}
    ip -n ${name} link set eth0 up
    ${places.map(({ via }) => `ip -n ${name} route add default via ${via}`).join('\n')}`)
  return {
    ...within(host, `${host.name}/${name}`, `ip netns exec ${name}`),
    address: places[0]?.own ?? '',
    address6: places.find(({ own }) => own.includes(':'))?.own ?? '',
  }
}

/** Where a container is in the subnet whose gateway this is, "10.2.3.1/24" or "fd00:10:2:3::1/64". */
function placeIn(gateway: string, last: number): Record<'gateway' | 'via' | 'own' | 'length' | 'broadcast', string> {
  const [via = '', length = ''] = gateway.split('/')
  const six = via.includes(':')
  const own = via.replace(/\d+$/, last.toString(six ? 16 : 10))
  return { gateway, via, own, length, broadcast: six ? '' : 'brd +' }
}
