// Rules of others that drop what containers send: another table at forward, or a policy that keeps ours out.
import { type Ruleset, parseSaved } from '../../firewall/iptables/ruleset.ts'
import type { PlanInputs } from '../../overlay/inputs.ts'
import { intentOf } from '../../overlay/plan.ts'
import { hostObjects } from '../../reconcile/intent.ts'
import { type Fault, type OwnCheck, firstOf, outcomeOf } from '../finding.ts'
import { type NftChain, type NftRuleset, drops, mayAccept, parseNft, showRule } from '../nft-ruleset.ts'
import { primaryRange } from '../../network-config/configuration.ts'

/** The part of the firewall check that is about others' rules: the daemon looks after its own. */
export const foreignRulesCheck: OwnCheck = {
  name: 'firewall',
  about: 'no other table drops forwarded packets',
  ofPeer: false,
  run({ plan, firewall }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { inputs } = plan.value
    if (inputs === undefined) return { unchecked: 'this host has no lease' }
    if ('unknown' in firewall.iptables) return { unchecked: firewall.iptables.unknown }
    const nft = 'value' in firewall.nft ? parseNft(firewall.nft.value) : undefined
    return outcomeOf(firstOf(foreignFaults(inputs, parseSaved(firewall.iptables.value), nft)), 'none is in the way')
  },
}

/** Tables of iptables-nft: what is in them is read as iptables rules. */
const OF_IPTABLES = new Set(['filter', 'nat', 'raw', 'mangle', 'security'])

/** Rules of others that drop what we forward. */
export function foreignFaults(inputs: PlanInputs, ruleset: Ruleset, nft: NftRuleset | undefined): readonly Fault[] {
  const chains = (nft?.chains ?? []).filter(isForeignForward)
  return [...policyFaults(inputs, ruleset), ...chains.flatMap((chain) => chainFaults(chain, nft, inputs))]
}

/** A policy that drops, where none of our accepts is wanted. */
function policyFaults({ configuration, options }: PlanInputs, ruleset: Ruleset): readonly Fault[] {
  const { network } = primaryRange(configuration)
  if (options.iptablesForwardRules || ruleset.get('filter')?.policies.get('FORWARD') !== 'DROP') return []
  const rules = ruleset.get('filter')?.chains.get('FORWARD') ?? []
  if (rules.some((rule) => rule.includes(network) && rule.includes('ACCEPT'))) return []
  return [
    {
      level: 'fault',
      stops: true,
      cause:
        'FORWARD drops by policy, and -iptables-forward-rules=false disables our rules: containers are unreachable',
      fix: `iptables -I FORWARD -s ${network} -j ACCEPT; iptables -I FORWARD -d ${network} -j ACCEPT; or remove that flag`,
      proof: 'iptables: -P FORWARD DROP',
    },
  ]
}

function isForeignForward({ family, table, hook }: NftChain): boolean {
  const ofIptables = OF_IPTABLES.has(table) && (family === 'ip' || family === 'ip6')
  return hook === 'forward' && !ofIptables && family !== 'ip6' && !table.startsWith('flannel-')
}

/** Another base chain at forward: an accept of ours does not beat a drop of it. */
function chainFaults(chain: NftChain, nft: NftRuleset | undefined, inputs: PlanInputs): readonly Fault[] {
  const { network } = primaryRange(inputs.configuration)
  const { family, table, name, policy, rules } = chain
  const blanket = rules.find(isBlanketDrop)
  if ((blanket === undefined && policy !== 'drop') || speaksOf(chain, nft, inputs)) return []
  const before = blanket === undefined ? rules : rules.slice(0, rules.indexOf(blanket))
  const sure = !before.some(mayAccept)
  return [
    {
      ...(sure ? { level: 'fault', stops: true } : { level: 'warning' }),
      cause: `another table ${sure ? 'drops' : 'may drop'} forwarded packets, including those of containers: our accept does not override it`,
      fix: `nft insert rule ${family} ${table} ${name} ip saddr ${network} accept; nft insert rule ${family} ${table} ${name} ip daddr ${network} accept; and the same in the file that defines it`,
      proof: blanket === undefined ? `nft chain ${family} ${table} ${name}: policy drop` : showRule(chain, blanket),
    },
  ]
}

function isBlanketDrop(rule: Parameters<typeof drops>[0]): boolean {
  return drops(rule) && !rule.statements.some((statement) => 'match' in statement)
}

/** Whether a table has rules on our network or tunnel that accept something: then an operator has considered it. */
function speaksOf({ family, table }: NftChain, nft: NftRuleset | undefined, inputs: PlanInputs): boolean {
  const [address = '', length] = primaryRange(inputs.configuration).network.split('/')
  const tunnels = hostObjects(intentOf(inputs)).flatMap((object) => (object.kind === 'link' ? [object.name] : []))
  const words = [`{"addr":"${address}","len":${length}}`, ...tunnels.map((name) => `"${name}"`)]
  return (nft?.chains ?? []).some(
    (chain) =>
      chain.family === family &&
      chain.table === table &&
      chain.rules.some((rule) => {
        const text = JSON.stringify(rule.statements)
        return mayAccept(rule) && words.some((word) => text.includes(word))
      }),
  )
}
