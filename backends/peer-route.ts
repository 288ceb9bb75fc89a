// The route to a peer's subnet, the same for every backend that routes.
import { type Address, familyOf, numberOf } from '../src/ip/address.ts'
import { type Prefix, addressOf } from '../src/ip/prefix.ts'
import { FLANNEL_PROTOCOL, type KernelObject } from '../src/kernel/state.ts'

/**
 * The route to a peer's subnet, by itself or through a nexthop object. The object's id is the subnet's address as a
 * number: unique in a network namespace, since no two daemons there may route one subnet.
 */
export function wayTo(
  subnet: Prefix,
  gateway: Address,
  device: string,
  onlink: boolean,
  nexthops: boolean,
): readonly KernelObject[] {
  const route = { kind: 'route', destination: subnet, metric: 0, protocol: FLANNEL_PROTOCOL } as const
  if (!nexthops || familyOf(gateway) === 6) {
    return [{ ...route, target: { type: 'gateway', gateway, device, onlink } }]
  }
  const id = numberOf(addressOf(subnet))
  return [
    { kind: 'nexthop', id, gateway, device, protocol: FLANNEL_PROTOCOL },
    { ...route, target: { type: 'nexthop', id } },
  ]
}
