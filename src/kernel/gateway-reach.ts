// The kernel refuses an IPv6 gateway (EINVAL) that a route leads to by another device, on a link or not, and a peer's gateway is in the
// peer's own subnet: a route to that subnet by another device stands in the way of the one that is to replace it, and deleting it
// first would lose packets. Invariant: a route to the gateway alone is there for the moment of the change. Pure.
import { familyOf } from '../ip/address.ts'
import { bitsOf, contains, prefixOf } from '../ip/prefix.ts'
import { ERRNO, type Refusal } from '../netlink/errno.ts'
import type { KernelChange } from './kernel.ts'
import { FLANNEL_PROTOCOL, type Route } from './state.ts'

/** Behind what any other route to that one address would have. */
const METRIC = 0xffff_fffe

/** The route to the gateway that a refused change needs; undefined where that is not why it was refused. */
export function gatewayReach({ verb, object }: KernelChange, { errno }: Refusal): Route | undefined {
  if (errno !== ERRNO.EINVAL || verb === 'delete' || object.kind !== 'route') return undefined
  const { target, destination } = object
  if (target.type !== 'gateway' || !target.onlink || !contains(destination, target.gateway)) return undefined
  const alone = prefixOf(target.gateway, bitsOf(familyOf(target.gateway)))
  const reach = { type: 'device', device: target.device } as const
  return { kind: 'route', destination: alone, metric: METRIC, target: reach, protocol: FLANNEL_PROTOCOL }
}
