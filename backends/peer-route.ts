// The route to a peer's subnet, the same for every backend that routes.
import { type Address, type Family, numberOf } from '../src/ip/address.ts'
import { type Prefix, bitsOf, prefixFamily } from '../src/ip/prefix.ts'
import { FLANNEL_PROTOCOL, type KernelObject } from '../src/kernel/state.ts'

/** Where packets to a peer's subnet go. */
export interface PeerRoute {
  readonly subnet: Prefix
  readonly gateway: Address
  readonly device: string
  /** Whether the gateway counts as a neighbour though no address of ours is in its network. */
  readonly onlink: boolean
  /** Whether the route goes through a nexthop object, where its family has them. */
  readonly nexthops: boolean
}

/** Priority of a route without one, as the kernel reports it. */
const METRIC: Readonly<Record<Family, number>> = { 4: 0, 6: 1024 }

/**
 * The route to a peer's subnet, by itself or through a nexthop object. The object's id is the subnet's address as a number:
 * unique in a network namespace, since no two daemons there may route one subnet. Ids have 32 bits, which longer addresses do
 * not fit; their routes are as fast without.
 */
export function peerRoute({ subnet, gateway, device, onlink, nexthops }: PeerRoute): readonly KernelObject[] {
  const family = prefixFamily(subnet)
  const route = { kind: 'route', destination: subnet, metric: METRIC[family], protocol: FLANNEL_PROTOCOL } as const
  const id = nexthops && bitsOf(family) === 32 ? numberOf(subnet) : undefined
  if (id === undefined) return [{ ...route, target: { type: 'gateway', gateway, device, onlink } }]
  return [
    { kind: 'nexthop', id, gateway, device, protocol: FLANNEL_PROTOCOL },
    { ...route, target: { type: 'nexthop', id } },
  ]
}

/** A route by a device that needs no gateway. */
export function deviceRoute(destination: Prefix, device: string): KernelObject {
  const metric = METRIC[prefixFamily(destination)]
  return { kind: 'route', destination, metric, target: { type: 'device', device }, protocol: FLANNEL_PROTOCOL }
}
