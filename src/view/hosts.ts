// Peers as hosts: a host with two families is two peers, and is counted and shown once. Pure.
import type { Peer } from '../backend.ts'
import { FAMILIES } from '../ip/by-family.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import { hostState } from './host-health.ts'

/** The source of peers' health. */
export interface PeerHealths {
  /** Undefined for one that was not probed recently. */
  healthOf(subnet: Prefix): Pick<PeerHealth, 'state' | 'pathMtu'> | undefined
}

/** The peers of one network by subnet. */
type Peers = ReadonlyMap<string, Peer>

/** The peer of the same host in the other family; undefined for a host of one family. */
export function partnerOf({ also }: Peer, peers: Peers): Peer | undefined {
  return also === undefined ? undefined : peers.get(also)
}

/** Whether a peer stands for its host: it is the only one, or that of the first family. */
export function standsForHost(peer: Peer, partner: Peer | undefined): boolean {
  return partner === undefined || prefixFamily(peer.subnet) === FAMILIES[0]
}

/** How many hosts these peers are. */
export function hostCount(peers: Peers): number {
  let count = peers.size
  for (const peer of peers.values())
    if (peer.also !== undefined && !standsForHost(peer, partnerOf(peer, peers))) count--
  return count
}

/** The state of a host in all its families, and the bytes of the largest packet that gets there in each; 0: not known. */
export function healthOfHost(
  source: PeerHealths,
  peer: Peer,
  partner: Peer | undefined,
): { readonly state: PeerHealth['state']; readonly pathMtu: number } {
  const health = source.healthOf(peer.subnet)
  const [state, pathMtu] = [health?.state ?? 'unknown', health?.pathMtu ?? 0]
  if (partner === undefined) return { state, pathMtu }
  const other = source.healthOf(partner.subnet)
  return {
    state: hostState([state, other?.state ?? 'unknown']),
    pathMtu: Math.min(pathMtu, other?.pathMtu ?? 0),
  }
}
