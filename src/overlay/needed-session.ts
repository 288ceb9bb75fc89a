// The session that has to be there before packets to a peer are sent encrypted. Pure.
import type { Configured, Peer } from '../backend.ts'
import type { PeerSession } from '../kernel/peer-session.ts'
import { type Intent, selfFor } from '../reconcile/intent.ts'

/** It (Backend.sessionOf); undefined where packets to the peer need none, or its backend sends them another way. */
export function neededSession(peer: Peer, carrier: Configured | undefined, intent: Intent): PeerSession | undefined {
  const session = carrier?.backend.sessionOf?.(peer)
  const self = session === undefined ? undefined : selfFor(intent, peer)
  if (carrier === undefined || self === undefined) return undefined
  const { backend, config } = carrier
  if (backend.wraps === undefined) return session
  const wrapping = backend.wraps({ ...self, config }, peer)
  return wrapping === undefined || wrapping.encrypted === false ? undefined : session
}
