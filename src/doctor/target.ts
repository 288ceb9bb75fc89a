// The peer that doctor was asked about.
import type { Prefix } from '../ip/prefix.ts'
import type { NamedPeer } from './facts.ts'

/** Whether a peer is one of the host in question; all are when none is. */
export function isAbout(target: NamedPeer | undefined, subnet: Prefix): boolean {
  return target === undefined || target.subnets.includes(subnet)
}
