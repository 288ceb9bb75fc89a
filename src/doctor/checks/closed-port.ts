// Rules and policies of this host that drop the tunnel's packets. The guard, which drops strangers only, is no such rule.
import { type Ruleset, parseSaved, ruleTarget, words } from '../../firewall/iptables/ruleset.ts'
import { IPTABLES, NFT_PROTOCOL } from '../../firewall/family-words.ts'
import { FAMILIES } from '../../ip/by-family.ts'
import { type Family, familyOf } from '../../ip/address.ts'
import { prefixFamily } from '../../ip/prefix.ts'
import type { VxlanLink } from '../../kernel/state.ts'
import type { Facts } from '../facts.ts'
import type { Fault } from '../finding.ts'
import { type NftChain, drops, matchesPort, mayAccept, parseNft, showRule } from '../nft-ruleset.ts'

/** What closes the port of a tunnel on this host. A policy is no fault where some peer answers: a rule lets it in after all. */
export function closedFaults({ firewall, probes }: Facts, { port, local }: VxlanLink): readonly Fault[] {
  const family = familyOf(local)
  const saved = firewall.iptables[family]
  const ruleset = 'value' in saved ? parseSaved(saved.value) : undefined
  const { chains } = 'value' in firewall.nft ? parseNft(firewall.nft.value) : { chains: [] }
  const foreign = chains.filter(
    ({ family: of, table }) =>
      (of === 'inet' || of === NFT_PROTOCOL[family]) && !/^(flannel-.*|filter|nat|raw|mangle|security)$/.test(table),
  )
  const answered = somebodyAnswers(probes, family)
  return [
    ...(ruleset === undefined ? [] : iptablesFaults(ruleset, port, IPTABLES[family])),
    ...foreign.flatMap((chain) => chainFaults(chain, port, answered)),
    ...(answered || ruleset === undefined ? [] : inputPolicyFaults(ruleset, port, IPTABLES[family])),
  ]
}

function causeOf(port: number): string {
  return `a firewall rule of this host drops UDP ${port}, the tunnel's packets`
}

function iptablesFaults(ruleset: Ruleset, port: number, program: string): readonly Fault[] {
  const dropsIt = (rule: string): boolean => {
    const all = words(rule)
    return ['DROP', 'REJECT'].includes(ruleTarget(rule) ?? '') && all[all.indexOf('--dport') + 1] === `${port}`
  }
  return [...ruleset].flatMap(([table, { chains }]) =>
    [...chains].flatMap(([chain, rules]) =>
      rules.filter(dropsIt).map((rule): Fault => ({
        level: 'fault',
        stops: true,
        cause: causeOf(port),
        fix: `${program} -t ${table} -D ${chain} ${rule}`,
        proof: `${program} -t ${table}: -A ${chain} ${rule}`,
      })),
    ),
  )
}

function chainFaults(chain: NftChain, port: number, answered: boolean): readonly Fault[] {
  const { family, table, name, hook, policy, rules } = chain
  const faults = rules
    .filter((rule) => drops(rule) && matchesPort(rule, port))
    .map((rule): Fault => ({
      level: 'fault',
      stops: true,
      cause: causeOf(port),
      fix: `nft delete rule ${family} ${table} ${name} handle ${rule.handle}`,
      proof: showRule(chain, rule),
    }))
  if (hook !== 'input' || policy !== 'drop' || answered) return faults
  if (rules.some((rule) => mayAccept(rule) && matchesPort(rule, port))) return faults
  return [
    ...faults,
    {
      level: 'warning',
      cause: `a firewall of this host drops by policy, and no rule lets UDP ${port} in`,
      fix: `nft insert rule ${family} ${table} ${name} udp dport ${port} accept, and the same in the file that defines it`,
      proof: `nft chain ${family} ${table} ${name}: policy drop`,
    },
  ]
}

function inputPolicyFaults(ruleset: Ruleset, port: number, program: string): readonly Fault[] {
  const input = ruleset.get('filter')
  const opens = (rule: string): boolean => ruleTarget(rule) === 'ACCEPT' && words(rule).includes(`${port}`)
  if (input?.policies.get('INPUT') !== 'DROP' || (input.chains.get('INPUT') ?? []).some(opens)) return []
  return [
    {
      level: 'warning',
      cause: `${program === IPTABLES[FAMILIES[0]] ? '' : `${program}: `}INPUT drops by policy, and no rule lets UDP ${port} in`,
      fix: `${program} -I INPUT -p udp --dport ${port} -j ACCEPT`,
      proof: `${program}: -P INPUT DROP`,
    },
  ]
}

function somebodyAnswers({ peers }: Facts['probes'], family: Family): boolean {
  const health = 'value' in peers ? [...peers.value] : []
  return health.some(([subnet, { state }]) => prefixFamily(subnet) === family && state === 'up')
}
