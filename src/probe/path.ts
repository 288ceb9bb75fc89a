// How a peer can be probed: which addresses, and how large a packet has to get there unfragmented. Pure.
import type { ExternalInterface, Peer, Self, Wrapping } from '../backend.ts'
import { type Address, type Family, familyOf } from '../ip/address.ts'
import { addressOf } from '../ip/prefix.ts'
import { LARGEST } from './echo.ts'
import { type KernelObject, keyOf } from '../kernel/state.ts'

/** One way to ask: the addresses of the packets, and the bytes of the largest that should pass (0: not known; at most LARGEST). */
export interface Lane {
  readonly source: Address
  readonly destination: Address
  readonly full: number
}

/** The way to a peer on our link without a tunnel. */
export interface OnLink {
  /** Ends and size of containers' packets. */
  readonly lane: Lane
  /** The device that leads there, and the peer's address on it. */
  readonly index: number
  readonly gateway: Address
  /** Whether they go this way now. */
  readonly taken: boolean
}

/** How a peer can be probed. */
export interface PeerPath {
  /** What containers' packets take: a tunnel, a plain route, or something that we know nothing of. */
  readonly via: 'tunnel' | 'direct' | 'elsewhere'
  /** To its VTEP address, by the way that containers' packets take; undefined where that is not asked. */
  readonly tunnel: Lane | undefined
  /** To its public address. */
  readonly underlay: Lane
  /** The MTU of containers on this path. */
  readonly mtu: number
  /** What a firewall sees of what the tunnel lane asks: "udp 8472"; empty without one. */
  readonly outer: string
  /** What an outer packet is larger than the container's in it. */
  readonly overhead: number
  /** Where packets may go without a tunnel on the link, the way they would take or take; undefined elsewhere. */
  readonly onLink: OnLink | undefined
  /** The kernel objects without which packets would go astray; keys of kernel/state.ts. */
  readonly needs: readonly string[]
}

/** The families of its packets: of the containers' and of the hosts'. */
export function familiesOn({ tunnel, underlay }: Pick<PeerPath, 'tunnel' | 'underlay'>): ReadonlySet<Family> {
  return new Set([tunnel ?? underlay, underlay].map(({ destination }) => familyOf(destination)))
}

/** The part of a backend that matters here, with the config it runs under. */
export interface ProbedBackend {
  readonly backend: {
    mtu(self: Self<unknown>): number
    forPeer(
      self: Self<unknown>,
      peer: Peer,
    ): { readonly ok: true; readonly value: readonly KernelObject[] } | { readonly ok: false }
    wraps?(self: Self<unknown>, peer: Peer): Wrapping | undefined
    tries?(self: Self<unknown>, peer: Peer): boolean
  }
  readonly config: unknown
}

/** The path to a peer; undefined when there is none. */
export function pathTo(
  peer: Peer,
  self: Omit<Self<unknown>, 'config'>,
  { backend, config }: ProbedBackend,
): PeerPath | undefined {
  const { external, subnet } = self
  const own = { ...self, config }
  const objects = backend.forPeer(own, peer)
  if (!objects.ok || familyOf(peer.publicAddress) !== familyOf(external.address)) return undefined
  const mtu = backend.mtu(own)
  const needs = objects.value.map(keyOf)
  const wrapping = backend.wraps?.(own, peer)
  const inner = { source: addressOf(subnet), destination: addressOf(peer.subnet), full: Math.min(mtu, LARGEST) }
  const onLink = backend.tries?.(own, peer) === true ? onLinkOf(inner, external, peer) : undefined
  if (wrapping !== undefined) {
    const { from, to, overhead, outer } = wrapping
    return {
      via: 'tunnel',
      mtu,
      outer,
      overhead,
      onLink,
      needs,
      tunnel: inner,
      underlay: { source: from, destination: to, full: Math.min(mtu + overhead, LARGEST) },
    }
  }
  const direct = objects.value.length > 0
  return {
    via: direct ? 'direct' : 'elsewhere',
    mtu,
    outer: onLink === undefined ? '' : 'packets of containers',
    overhead: 0,
    onLink,
    needs,
    // What is known to go there with addresses of hosts alone says nothing of those of containers.
    tunnel: onLink && inner,
    underlay: {
      source: external.address,
      destination: peer.publicAddress,
      full: direct ? Math.min(mtu, external.mtu, LARGEST) : 0,
    },
  }
}

function onLinkOf(lane: Lane, { index }: ExternalInterface, { publicAddress, direct }: Peer): OnLink {
  return { lane, index, gateway: publicAddress, taken: direct === true }
}
