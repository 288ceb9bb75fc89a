// Which objects of the kernel are ours: a pure predicate, apart from what we want of them.
// Invariant: what is not ours is never changed or deleted; in the place of ours it is a conflict and reported.
import { fromNumber } from '../ip/address.ts'
import { type Prefix, contains } from '../ip/prefix.ts'
import { FLANNEL_PROTOCOL, IPSEC_REQID, type KernelObject, type Nexthop, type Route } from './state.ts'

/** What this daemon may call its own. */
export interface Domain {
  /** Names of our VXLAN devices, including those being removed. */
  readonly devices: ReadonlySet<string>
  /** The cluster's networks. Two daemons on one host have different ones, though the same protocol number. */
  readonly networks: readonly Prefix[]
}

/** Protocol number of routes the kernel makes by itself (RTPROT_KERNEL, linux/rtnetlink.h). */
const KERNEL_PROTOCOL = 2

/** Whether an object read from the kernel is ours: all that is permanent on our devices, and what carries our number. */
export function owns(domain: Domain, object: KernelObject): boolean {
  switch (object.kind) {
    case 'link':
      return domain.devices.has(object.name)
    case 'address':
      return domain.devices.has(object.device) && !object.address.startsWith('fe80:')
    case 'wireguard-peer':
    case 'fdb':
    case 'neighbor':
      return domain.devices.has(object.device)
    case 'nexthop':
      return ownsNexthop(domain, object)
    case 'policy':
      return object.reqid === IPSEC_REQID && inside(domain, object.source) && inside(domain, object.destination)
    case 'route':
      return ownsRoute(domain, object)
  }
}

function ownsNexthop(domain: Domain, nexthop: Nexthop): boolean {
  if (nexthop.protocol !== FLANNEL_PROTOCOL) return false
  return domain.devices.has(nexthop.device) || inside(domain, fromNumber(nexthop.id))
}

function ownsRoute(domain: Domain, route: Route): boolean {
  if (route.protocol === KERNEL_PROTOCOL) return false
  const { target } = route
  if ((target.type === 'gateway' || target.type === 'device') && domain.devices.has(target.device)) return true
  return route.protocol === FLANNEL_PROTOCOL && inside(domain, route.destination)
}

function inside(domain: Domain, what: Parameters<typeof contains>[1]): boolean {
  return domain.networks.some((network) => contains(network, what))
}
