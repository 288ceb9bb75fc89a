// Which way packets to a peer go, where a backend has several and probes decide: that stands nowhere but in the kernel. Pure.
import type { Peer } from '../backend.ts'
import { addressOf } from '../ip/prefix.ts'
import { FLANNEL_PROTOCOL, type KernelObject, type KernelState, type Kind, keyOf } from '../kernel/state.ts'

/** What of a peer's objects is wanted: a route that leads one of the ways to it as it was found, everything else as planned. */
export function asFound(object: KernelObject, peer: Peer, kernel: ReadonlyMap<Kind, KernelState>): KernelObject {
  const found = kernel.get(object.kind)?.get(keyOf(object))
  return found !== undefined && leadsTo(peer, found) ? found : object
}

function leadsTo({ subnet, publicAddress }: Peer, found: KernelObject): boolean {
  const ends: readonly string[] = [publicAddress, addressOf(subnet)]
  if (found.kind === 'nexthop') return found.protocol === FLANNEL_PROTOCOL && ends.includes(found.gateway)
  if (found.kind !== 'route' || found.protocol !== FLANNEL_PROTOCOL) return false
  const { target } = found
  // A device alone is that of a tunnel which knows its peers itself.
  return target.type === 'gateway'
    ? ends.includes(target.gateway)
    : target.type === 'nexthop' || target.type === 'device'
}
