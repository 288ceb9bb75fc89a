// A tunnel that does not answer: blocked on the path, or by our own guard, which knows whose packets it drops.
import { guardTable } from '../../firewall/nftables/arrival.ts'
import type { Prefix } from '../../ip/prefix.ts'
import type { VxlanLink } from '../../kernel/state.ts'
import type { PeerHealth } from '../../probe/peer-health.ts'
import type { Facts } from '../facts.ts'
import type { Fault } from '../finding.ts'
import { parseNft } from '../nft-ruleset.ts'
import { strangersOf } from './firewall.ts'

const CAUSES: ReadonlyMap<string, string> = new Map([
  ['tunnel-blocked', 'the tunnel does not answer'],
  ['tunnel-blocked-out', 'what we send into the tunnel is lost'],
  ['tunnel-blocked-in', 'what the peer sends into the tunnel is lost'],
])

/** What is wrong with the tunnel of a peer, which `carrier` names ("UDP 8472"); `stranger` is whose packets our guard drops. */
export function blocked(
  health: PeerHealth,
  subnet: Prefix,
  address: string,
  carrier: string,
  stranger: string | undefined,
): Fault | undefined {
  const what = CAUSES.get(health.cause)
  if (what === undefined) return undefined
  const cause = `peer ${subnet}: ${what}, but its host answers`
  const open = `let ${carrier} pass between this host and ${address}, in both directions, in every firewall and security group; also run flanneld doctor there`
  if (stranger === undefined || health.cause === 'tunnel-blocked-out')
    return {
      level: 'fault',
      stops: true,
      cause: `${cause}: ${carrier} is blocked on the path`,
      fix: open,
      proof: health.note,
    }
  return {
    level: 'fault',
    stops: true,
    cause: `${cause}: this host's guard drops packets from ${stranger}, which may be that host behind a NAT; or ${carrier} is blocked on the path`,
    fix: `if ${stranger} is ${address}, start this daemon with -vxlan-guard-allow=${stranger}; if not, ${open}`,
    proof: health.note,
  }
}

/** Whose packets the guard of a tunnel drops most of, undefined when it drops none. */
export function strangerAt({ firewall }: Facts, tunnel: VxlanLink): string | undefined {
  if ('unknown' in firewall.nft) return undefined
  return strangersOf(parseNft(firewall.nft.value).sets, guardTable(tunnel))[0]?.[0]
}
