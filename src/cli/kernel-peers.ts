// The peers as a daemon before left them in the kernel: a route each, and in the tunnel the entries that lead there. Pure.
// Nothing in the kernel says which routes are of one host: one with two families is two of them.
import type { PeerView } from '../view/status-shape.ts'
import type { KernelObject, Nexthop, Route } from '../kernel/state.ts'
import { UNPROBED } from '../view/peers.ts'

/** What was found in the kernel; `others` are neighbours, FDB entries and nexthops. */
export interface FoundObjects {
  readonly devices: readonly string[]
  readonly routes: readonly Route[]
  readonly others: readonly KernelObject[]
}

/** One for each route to a peer. */
export function peersInKernel({ devices, routes, others }: FoundObjects): readonly PeerView[] {
  const hops = new Map<number, Nexthop>()
  const macs = new Map<string, string>()
  const hosts = new Map<string, string>()
  for (const object of others) {
    if (object.kind === 'nexthop') hops.set(object.id, object)
    if (object.kind === 'neighbor') macs.set(`${object.device} ${object.address}`, object.mac)
    if (object.kind === 'fdb') hosts.set(`${object.device} ${object.mac}`, object.destination)
  }
  return routes.flatMap(({ destination, target }) => {
    const hop = target.type === 'nexthop' ? hops.get(target.id) : target.type === 'gateway' ? target : undefined
    if (hop === undefined) return []
    const { device, gateway } = hop
    const place = devices.includes(device)
      ? { via: 'vxlan', publicAddress: hosts.get(`${device} ${macs.get(`${device} ${gateway}`)}`) ?? null }
      : { via: 'direct', publicAddress: gateway }
    return [{ ...UNPROBED, ...place, subnet: destination, state: 'unknown' as const }]
  })
}
