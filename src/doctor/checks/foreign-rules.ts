// Rules of others that drop what containers send: another table at forward, or a policy that keeps ours out.
import { type Ruleset, parseSaved } from '../../firewall/iptables/ruleset.ts'
import { IPTABLES, NFT_PROTOCOL } from '../../firewall/family-words.ts'
import type { Family } from '../../ip/address.ts'
import { familiesOf, inFamily } from '../../ip/by-family.ts'
import type { PlanInputs } from '../../overlay/inputs.ts'
import { intentOf } from '../../overlay/plan.ts'
import { hostObjects } from '../../reconcile/intent.ts'
import type { FirewallFacts } from '../facts.ts'
import { type Fault, type OwnCheck, firstOf, outcomeOf } from '../finding.ts'
import { forFamily } from '../family-name.ts'
import { valueIn } from '../known.ts'
import { type NftChain, type NftRuleset, drops, mayAccept, parseNft, showRule } from '../nft-ruleset.ts'

/** The rules of iptables and ip6tables. */
export type Rulesets = Readonly<Record<Family, Ruleset>>

/** The part of the firewall check that is about others' rules: the daemon looks after its own. */
export const foreignRulesCheck: OwnCheck = {
  name: 'firewall',
  about: 'no other table drops forwarded packets',
  ofPeer: false,
  run({ plan, firewall }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { inputs } = plan.value
    if (inputs === undefined) return { unchecked: 'this host has no lease' }
    const unread = unreadIn(firewall, familiesOf(inputs.subnets))
    if (unread !== undefined) return { unchecked: unread }
    const nft = 'value' in firewall.nft ? parseNft(firewall.nft.value) : undefined
    return outcomeOf(firstOf(foreignFaults(inputs, rulesetsIn(firewall), nft)), 'none is in the way')
  },
}

/** Why the rules of one of these families could not be read. */
export function unreadIn({ iptables }: FirewallFacts, families: readonly Family[]): string | undefined {
  const [why] = families.flatMap((family) => {
    const read = iptables[family]
    return 'unknown' in read ? [read.unknown] : []
  })
  return why
}

/** The rules of iptables by family; none where they could not be read. */
export function rulesetsIn({ iptables }: FirewallFacts): Rulesets {
  return { 4: parseSaved(valueIn(iptables[4]) ?? ''), 6: parseSaved(valueIn(iptables[6]) ?? '') }
}

/** Tables of iptables-nft: what is in them is read as iptables rules. */
const OF_IPTABLES = new Set(['filter', 'nat', 'raw', 'mangle', 'security'])

/** Rules of others that drop what we forward. */
export function foreignFaults(inputs: PlanInputs, rulesets: Rulesets, nft: NftRuleset | undefined): readonly Fault[] {
  return familiesOf(inputs.subnets).flatMap((family) => {
    const chains = (nft?.chains ?? []).filter((chain) => isForeignForward(chain, family))
    const faults = chains.flatMap((chain) => chainFaults(chain, nft, inputs, family))
    return [...policyFaults(inputs, rulesets[family], family), ...faults]
  })
}

function networkOf({ configuration }: PlanInputs, family: Family): string {
  return inFamily(configuration.ranges, family)?.network ?? ''
}

/** A policy that drops, where none of our accepts is wanted. */
function policyFaults(inputs: PlanInputs, ruleset: Ruleset, family: Family): readonly Fault[] {
  const network = networkOf(inputs, family)
  if (inputs.options.iptablesForwardRules || ruleset.get('filter')?.policies.get('FORWARD') !== 'DROP') return []
  const rules = ruleset.get('filter')?.chains.get('FORWARD') ?? []
  if (rules.some((rule) => rule.includes(network) && rule.includes('ACCEPT'))) return []
  const program = IPTABLES[family]
  return [
    {
      level: 'fault',
      stops: true,
      cause: `FORWARD${forFamily(inputs.subnets, family)} drops by policy, and -iptables-forward-rules=false disables our rules: containers are unreachable`,
      fix: `${program} -I FORWARD -s ${network} -j ACCEPT; ${program} -I FORWARD -d ${network} -j ACCEPT; or remove that flag`,
      proof: `${program}: -P FORWARD DROP`,
    },
  ]
}

/** A table of family inet sees both. */
function isForeignForward({ family: of, table, hook }: NftChain, family: Family): boolean {
  if (of !== 'inet' && of !== NFT_PROTOCOL[family]) return false
  return hook === 'forward' && !(OF_IPTABLES.has(table) && of !== 'inet') && !table.startsWith('flannel-')
}

/** Another base chain at forward: an accept of ours does not beat a drop of it. */
function chainFaults(
  chain: NftChain,
  nft: NftRuleset | undefined,
  inputs: PlanInputs,
  family: Family,
): readonly Fault[] {
  const network = networkOf(inputs, family)
  const { family: of, table, name, policy, rules } = chain
  const blanket = rules.find((rule) => isBlanketDrop(rule, family))
  if ((blanket === undefined && policy !== 'drop') || speaksOf(chain, nft, inputs, family)) return []
  const before = blanket === undefined ? rules : rules.slice(0, rules.indexOf(blanket))
  const sure = !before.some(mayAccept)
  const [ip, insert] = [NFT_PROTOCOL[family], `nft insert rule ${of} ${table} ${name}`]
  const what = `forwarded packets${forFamily(inputs.subnets, family)}`
  return [
    {
      ...(sure ? { level: 'fault', stops: true } : { level: 'warning' }),
      cause: `another table ${sure ? 'drops' : 'may drop'} ${what}, including those of containers: our accept does not override it`,
      fix: `${insert} ${ip} saddr ${network} accept; ${insert} ${ip} daddr ${network} accept; and the same in the file that defines it`,
      proof: blanket === undefined ? `nft chain ${of} ${table} ${name}: policy drop` : showRule(chain, blanket),
    },
  ]
}

/** Whether it drops whatever comes, or whatever comes of one family. */
function isBlanketDrop(rule: Parameters<typeof drops>[0], family: Family): boolean {
  const matches = rule.statements.filter((statement) => 'match' in statement)
  return drops(rule) && matches.every((statement) => isOfFamily(JSON.stringify(statement), family))
}

/** `meta nfproto ipv6`, as nft lists it. */
function isOfFamily(match: string, family: Family): boolean {
  return match === JSON.stringify({ match: { op: '==', left: { meta: { key: 'nfproto' } }, right: `ipv${family}` } })
}

/** Whether a table has rules on our network or tunnel that accept something: then an operator has considered it. */
function speaksOf(
  { family: of, table }: NftChain,
  nft: NftRuleset | undefined,
  inputs: PlanInputs,
  family: Family,
): boolean {
  const [address = '', length] = networkOf(inputs, family).split('/')
  const tunnels = hostObjects(intentOf(inputs)).flatMap((object) => (object.kind === 'link' ? [object.name] : []))
  const words = [`{"addr":"${address}","len":${length}}`, ...tunnels.map((name) => `"${name}"`)]
  return (nft?.chains ?? []).some(
    (chain) =>
      chain.family === of &&
      chain.table === table &&
      chain.rules.some((rule) => {
        const text = JSON.stringify(rule.statements)
        return mayAccept(rule) && words.some((word) => text.includes(word))
      }),
  )
}
