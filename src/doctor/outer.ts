// What carries packets to a peer between the hosts: in the words of firewalls, and in bytes. Pure.
import type { Wrapping } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import { carrierOf, selfFor } from '../reconcile/intent.ts'
import type { ExpectedPlan } from './expected-state.ts'

/** "UDP 8472", "IP protocol 4"; undefined where nothing wraps a peer's packets. */
export function outerOf(plan: ExpectedPlan, subnet: Prefix): string | undefined {
  return wrappingFor(plan, subnet)?.outer.replace(/^(?:udp|ip)\b/, (word) => word.toUpperCase())
}

/** What a peer's packets are wrapped in, by the backend its lease names. */
export function wrappingFor({ intent, peers }: ExpectedPlan, subnet: Prefix): Wrapping | undefined {
  const peer = peers.get(subnet)
  if (intent === undefined || peer === undefined) return undefined
  const [active, host] = [carrierOf(intent, peer.type), selfFor(intent, peer)]
  if (active === undefined || host === undefined) return undefined
  return active.backend.wraps?.({ ...host, config: active.config }, peer)
}
