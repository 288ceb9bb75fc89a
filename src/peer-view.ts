// The peers as an operator sees them: one value each, of what the leases say, how packets go there and how that goes.
// Invariant: made on request from what is known; nothing is asked of anybody.
import type { Peer } from './backend.ts'
import { selfOf } from './host-plan.ts'
import type { KernelObject } from './kernel/state.ts'
import type { Sight } from './operator.ts'
import type { Overlay } from './overlay.ts'

/** A peer, or a lease that is refused. Null is what is not known. */
export interface PeerView {
  readonly subnet: string
  readonly publicAddress: string | null
  /** How packets go there: `vxlan` and so on in its tunnel, `direct` past it by a plain route. */
  readonly via: string
  /** `unknown`: not probed, or not yet. `refused`: its lease is not believed, nothing is sent there. */
  readonly state: 'up' | 'degraded' | 'unreachable' | 'unknown' | 'refused'
  /** Milliseconds there and back. */
  readonly rttMs: number | null
  /** Lost probes, 0 to 1. */
  readonly loss: number | null
  /** Bytes of the largest packet that gets there. */
  readonly pathMtu: number | null
  /** Since when it is in this state; milliseconds since 1970. */
  readonly since: number | null
  /** What is wrong, for people; empty when nothing is. */
  readonly note: string
}

/** All peers, in the order of the table; none before there is a lease. */
export function peersOf({ overlay }: Sight): readonly PeerView[] {
  if (overlay === undefined) return []
  const ways = new Map<string, Via>()
  return Array.from(overlay.peers.values(), (peer) => {
    const via = ways.get(peer.type) ?? viaBy(peer.type, overlay)
    ways.set(peer.type, via)
    return viewOf(peer, via)
  })
}

function viewOf(peer: Peer, via: Via): PeerView {
  const { subnet, publicAddress } = peer
  const unprobed = { state: 'unknown', rttMs: null, loss: null, pathMtu: null, since: null, note: '' } as const
  return { subnet, publicAddress, via: via(peer), ...unprobed }
}

/** Tells how packets to a peer go. */
type Via = (peer: Peer) => string

/** For the peers of one backend: its name, or `direct` when it has a tunnel and this peer is not reached through it. */
function viaBy(type: string, overlay: Overlay): Via {
  const way = overlay.configured(type)
  if (way === undefined) return () => type
  const self = { ...selfOf(overlay.inputs), config: way.config }
  const tunnel = way.backend.base(self).find((object) => object.kind === 'link')?.name
  if (tunnel === undefined) return () => type
  return (peer) => {
    const needs = way.backend.forPeer(self, peer)
    return !needs.ok || needs.value.some((object) => isOn(tunnel, object)) ? type : 'direct'
  }
}

function isOn(device: string, object: KernelObject): boolean {
  const place = object.kind === 'route' ? object.target : object
  return 'device' in place && place.device === device
}
