// How a peer is doing, as the probes found: values only.

/** Why a peer is not healthy. */
export type Cause =
  | 'none'
  /** Neither its tunnel nor its host answers. */
  | 'host-down'
  /** What we send into the tunnel is lost; what the peer sends comes in. */
  | 'tunnel-blocked-out'
  /** What we send arrives; what the peer sends is lost. */
  | 'tunnel-blocked-in'
  /** The tunnel is silent though its host is there: both ways, or which way is not known (Go's flanneld does not probe). */
  | 'tunnel-blocked'
  /** Small packets pass, those of the full MTU do not, or only in fragments. */
  | 'path-mtu'
  /** Too many packets are lost. */
  | 'loss'

/** How a peer is doing. */
export interface PeerHealth {
  /** `unknown`: it is not known, e.g. because the peer answers no ICMP and there is no tunnel to it. */
  readonly state: 'up' | 'degraded' | 'unreachable' | 'unknown'
  /** Milliseconds there and back, the least of its last turn; undefined when nothing came back. */
  readonly rttMs: number | undefined
  /** Lost probes, 0 to 1, over the last minutes. */
  readonly loss: number
  /** Bytes of the largest IP packet of a container that gets there unfragmented; undefined when not known. */
  readonly pathMtu: number | undefined
  /** Since when state and cause are what they are; milliseconds since 1970. */
  readonly since: number
  readonly cause: Cause
  /** What is wrong, for people; empty when nothing is. */
  readonly note: string
}
