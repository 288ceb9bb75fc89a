// All networks of this host, for the parts that a host has once, such as the prober and the page.
import type { Peer } from '../backend.ts'
import type { Address, Family } from '../ip/address.ts'
import { valuesOf } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Session } from './session.ts'

/** The networks of this host. One today. */
export type Sessions = readonly [Session, ...Session[]]

/** The peers of all networks by subnet; networks of one host do not overlap. */
export function peersIn(sessions: Sessions): ReadonlyMap<Prefix, Peer> {
  const [first, ...others] = sessions
  // No copy of thousands of peers for the one network that most hosts have.
  if (others.length === 0) return first.peers
  return new Map(sessions.flatMap(({ peers }) => [...peers]))
}

/** The families of this host's subnets and of the packets that carry them. */
export function familiesIn(sessions: Sessions): ReadonlySet<Family> {
  const selves = sessions.flatMap(({ plan }) => valuesOf(plan.intent.selves))
  return new Set(selves.flatMap(({ family, external }) => [family, external.family]))
}

/** The network a peer is in. */
export function sessionOf(sessions: Sessions, subnet: Prefix): Session | undefined {
  return sessions.find(({ peers }) => peers.has(subnet))
}

/** The peer whose subnet an address lies in. */
export function peerAt(sessions: Sessions, address: Address): Peer | undefined {
  for (const session of sessions) {
    const peer = session.peerAt(address)
    if (peer !== undefined) return peer
  }
  return undefined
}
