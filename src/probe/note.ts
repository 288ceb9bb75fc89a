// What is wrong with a peer, in words. Pure.
import type { PeerHealth } from './peer-health.ts'
import type { PeerPath } from './path.ts'
import type { Tallies } from './turn-plan.ts'

/** A verdict, as far as its words depend on it. */
type Said = Pick<PeerHealth, 'state' | 'cause'> & { readonly heardBothWays?: boolean }

/** The note; empty when nothing is wrong. `everAnswered`: whether the host ever answered outside the tunnel. */
export function noteOf(
  { state, cause, heardBothWays }: Said,
  { path, tallies }: { readonly path: PeerPath; readonly tallies: Tallies },
  everAnswered: boolean,
): string {
  const { outer } = path
  const whose = path.via === 'tunnel' ? "the tunnel's" : "the network's"
  const { error } = tallies.tunnel ?? tallies.underlay
  const why = error === undefined ? '' : `: ${error.toLowerCase()}`
  switch (cause) {
    case 'none':
      if (heardBothWays === true) return 'answers no ICMP, but its probes arrive and ours arrive there'
      return state === 'unknown' ? `no answer yet${why}` : ''
    case 'host-down':
      return error === undefined ? hostDown(path, everAnswered) : `cannot send${why}`
    case 'tunnel-blocked-out':
      return `${outer} blocked? what we send is lost`
    case 'tunnel-blocked-in':
      return `${outer} blocked? what it sends is lost`
    case 'tunnel-blocked':
      return `${outer} blocked?`
    case 'path-mtu':
      return `below ${whose} ${path.mtu}: larger packets are ${state === 'up' ? 'fragmented' : 'lost'}`
    case 'loss':
      return 'many packets are lost'
  }
}

function hostDown({ via, outer }: PeerPath, everAnswered: boolean): string {
  if (via !== 'tunnel') return 'does not answer: down?'
  const orBlocked = `: down, or ${outer} blocked`
  return `its host does not answer either${everAnswered ? ': down?' : orBlocked}`
}
