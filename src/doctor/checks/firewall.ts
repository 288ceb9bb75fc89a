// Rules: ours are there and come first, no other rule drops what we forward, and the guard knows every peer.
import { guardedBy } from '../../firewall/nftables/arrival.ts'
import { peersSet, strangersSet, tableOf } from '../../firewall/nftables/guard-ruleset.ts'
import { tableNames } from '../../firewall/nftables/forward-tables.ts'
import { type FirewallInput, desiredChains } from '../../firewall/iptables/rules.ts'
import type { Ruleset } from '../../firewall/iptables/ruleset.ts'
import { dockerChains, transaction } from '../../firewall/iptables/transaction.ts'
import { type Address, familyOf } from '../../ip/address.ts'
import type { PlanInputs } from '../../overlay/inputs.ts'
import { firewallOf, guardOf } from '../../overlay/plan.ts'
import { sendersOf } from '../../overlay/peer-senders.ts'
import { familiesOf } from '../../ip/by-family.ts'
import type { Facts } from '../facts.ts'
import { forFamily } from '../family-name.ts'
import { isAbout } from '../target.ts'
import { IPTABLES, NFT_PROTOCOL } from '../../firewall/family-words.ts'
import { counted } from '../../text/counted.ts'
import { type Check, type Fault, type CheckOutcome, firstOf, outcomeOf } from '../finding.ts'
import { changesBehind } from '../kept-doors.ts'
import type { ExpectedPlan } from '../expected-state.ts'
import { type NftSet, type NftRuleset, drops, parseNft } from '../nft-ruleset.ts'
import { type Rulesets, foreignFaults, rulesetsIn, unreadIn } from './foreign-rules.ts'

export const firewallCheck: Check = {
  name: 'firewall',
  about: 'our rules are in their places, and no other table drops forwarded packets',
  ofPeer: true,
  settles: true,
  run(facts) {
    const { plan, firewall, daemon } = facts
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { inputs } = plan.value
    if (inputs === undefined) return { unchecked: 'this host has no lease' }
    const failing = daemon.state === 'answers' ? daemon.facts.firewallError : undefined
    const unread = unreadIn(firewall, familiesOf(inputs.subnets))
    if (unread !== undefined) {
      if (failing === undefined) return { unchecked: unread }
      const fix = 'install iptables, or give the daemon CAP_NET_ADMIN and CAP_NET_RAW'
      const cause = 'the daemon cannot write rules'
      return { faults: [{ level: 'fault', stops: true, code: 'firewall-rules', cause, fix, proof: failing }] }
    }
    const rulesets = rulesetsIn(firewall)
    const nft = 'value' in firewall.nft ? parseNft(firewall.nft.value) : undefined
    const faults = [...ownFaults(facts, plan.value, inputs, rulesets, nft), ...foreignFaults(inputs, rulesets, nft)]
    if (faults.length === 0 && failing !== undefined) {
      const fix = 'details: journalctl -u flanneld'
      faults.push({
        level: 'fault',
        code: 'firewall-rules',
        cause: 'the daemon has trouble with its rules',
        fix,
        proof: failing,
      })
    }
    return outcomeOf(
      firstOf(faults),
      facts.options.iptablesForwardRules ? 'ours are in place' : 'none are wanted of us',
    )
  },
}

/** What the daemon would write to restore its own rules. */
function ownFaults(
  { daemon }: Facts,
  plan: ExpectedPlan,
  inputs: PlanInputs,
  rulesets: Rulesets,
  nft: NftRuleset | undefined,
): Fault[] {
  const peers = [...plan.peers.values()]
  const changes = changesBehind(inputs, peers, Object.values(rulesets))
  const kept = daemon.state === 'answers' ? (daemon.facts.running?.tunnels ?? []) : []
  const fix =
    daemon.state === 'answers'
      ? 'systemctl restart flanneld; if they disappear again, find out what removes them: nft monitor'
      : 'start flanneld, which restores them'
  const faults: Fault[] = []
  for (const input of firewallOf(inputs, peers)) {
    const lines = missing(rulesets[input.family], input)
    const where = forFamily(inputs.subnets, input.family)
    const written = lines.filter((line) => /^(-A|-I|:)/.test(line))
    const late = (): boolean =>
      changes.some((change) =>
        firewallOf({ ...inputs, change }, peers).every(
          (other) => missing(rulesets[other.family], withTunnels(other, kept)).length === 0,
        ),
      )
    if (written.length > 0 && !late()) {
      const cause = lines.some((line) => line.startsWith(':'))
        ? `our rules${where} are missing: packets between containers are dropped or get another address`
        : `our rules${where} are not in their places: rules ahead of them decide`
      faults.push({
        level: 'fault',
        stops: true,
        cause,
        fix,
        proof: `missing in their place${where === '' ? '' : ` in ${IPTABLES[input.family]}`}: ${written.slice(0, 3).join('; ')}`,
      })
    }
    if (input.nftables !== true || nft === undefined) continue
    const names = tableNames(input.family, input.network)
    if (names.some((name) => nft.chains.some((chain) => chain.table === name && chain.rules.length > 0))) continue
    const cause = `our nftables table${where} is missing: packets between containers are dropped or get another address`
    faults.push({
      level: 'fault',
      stops: true,
      cause,
      fix,
      proof: `there is no table ${NFT_PROTOCOL[input.family]} ${names[0]} with rules`,
    })
  }
  return faults
}

/** With what comes in by devices that the daemon keeps for a while after a change: they come before the shared ones. */
function withTunnels(input: FirewallInput, kept: readonly string[]): FirewallInput {
  const [own, shared] = [false, true].map((is) => input.overlay.filter((each) => each.shared === is))
  const more = kept.filter((name) => own?.every((each) => each.name !== name))
  const from = [input.network]
  return {
    ...input,
    overlay: [...(own ?? []), ...more.map((name) => ({ name, shared: false, from })), ...(shared ?? [])],
  }
}

/** The lines that would have to be written. */
function missing(ruleset: Ruleset, input: FirewallInput): readonly string[] {
  const desired = desiredChains([input], dockerChains(ruleset))
  return transaction(ruleset, desired, [input.network, input.subnet])?.trim().split('\n') ?? []
}

export const guardCheck: Check = {
  name: 'guard',
  about: 'the guard exists and lets every peer in',
  ofPeer: true,
  settles: true,
  run: (facts) => guardOutcome(facts),
}

function guardOutcome({ plan, firewall, daemon, target }: Facts): CheckOutcome {
  if ('unknown' in plan) return { unchecked: plan.unknown }
  const { inputs, peers } = plan.value
  if (inputs === undefined) return { unchecked: 'this host has no lease' }
  const wish = guardOf(inputs, peers.values())
  if (wish === undefined) return { seen: 'none is wanted' }
  if ('unknown' in firewall.nft) {
    const failing = daemon.state === 'answers' ? daemon.facts.guardError : undefined
    if (failing === undefined) return { unchecked: firewall.nft.unknown }
    const cause = 'there is no guard: anybody can send into the network'
    return { faults: [{ level: 'fault', code: 'guard', cause, fix: 'apt-get install nftables', proof: failing }] }
  }
  const table = tableOf(wish)
  const { sets, chains } = parseNft(firewall.nft.value)
  const fix = daemon.state === 'answers' ? 'systemctl restart flanneld' : 'start flanneld'
  const chain = chains.find((one) => one.table === table && one.hook === 'input')
  if (chain === undefined || !chain.rules.some(drops)) {
    const cause = 'there is no guard: anybody can send into the network'
    return {
      faults: [{ level: 'fault', cause, fix, proof: `there is no nft table inet ${table} that drops strangers` }],
    }
  }
  const ofTable = sets.filter((set) => set.table === table)
  const isKnown = (from: Address): boolean =>
    ofTable.some(({ name, elements }) => name === peersSet(familyOf(from)) && elements.has(from))
  const asked = [...peers.values()].filter(({ subnet }) => isAbout(target, subnet))
  const shut = asked.flatMap((peer) => sendersOf(peer).flatMap((from) => (isKnown(from) ? [] : [{ peer, from }])))
  const faults = shut.map(({ peer: { subnet }, from }): Fault => ({
    level: 'fault',
    stops: true,
    cause: `the guard shuts out peer ${subnet}: nothing of it arrives`,
    fix: `${fix}; by hand: nft add element inet ${table} ${peersSet(familyOf(from))} '{ ${from} }'`,
    proof: `${from} is not in set ${peersSet(familyOf(from))} of nft table inet ${table}`,
  }))
  return outcomeOf(
    [...firstOf(faults), ...strangerFaults(strangersOf(sets, table), table)],
    `let in: ${counted(peers.size, 'peer')}`,
  )
}

/** Senders to what is guarded that are not peers: a host behind a NAT, one whose address differs from its lease, or a stranger. */
export function strangerFaults(strangers: readonly (readonly [string, number])[], table: string): readonly Fault[] {
  const faults = strangers.map(([address, packets]): Fault => ({
    level: 'warning',
    cause: `${address} sends to ${guardedBy(table)} and is not a peer's address: the guard drops it`,
    fix: `if it is a host of the network behind a NAT, start this daemon with -vxlan-guard-allow=${address}; if not, find out who has it`,
    proof: `${counted(packets, 'packet')} dropped since an hour without any: nft list set inet ${table} ${strangersSet(address.includes(':') ? 6 : 4)}`,
  }))
  return firstOf(faults)
}

/** Whose packets a guard dropped recently, and how many, most first. */
export function strangersOf(sets: readonly NftSet[], table: string): readonly (readonly [string, number])[] {
  const ofGuard = (start: string): readonly NftSet[] =>
    sets.filter((set) => set.table === table && set.name.startsWith(start))
  const peers = new Set(ofGuard('peers').flatMap(({ elements }) => [...elements]))
  const strangers = ofGuard('strangers').flatMap(({ packets }) => [...packets])
  return strangers.filter(([address]) => !peers.has(address)).toSorted(([, a], [, b]) => b - a)
}
