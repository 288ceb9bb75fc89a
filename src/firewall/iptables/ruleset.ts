// What iptables-save prints, as a value.
// Invariant: a rule is kept in the words of iptables-save; `words` takes it apart and is the only means to compare two.
import { type Prefix, overlaps, parsePrefix } from '../../ip/prefix.ts'

/** The chains of one table: rules without their "-A CHAIN". */
export interface SavedTable {
  readonly chains: ReadonlyMap<string, readonly string[]>
  /** Policies of the built-in chains. */
  readonly policies: ReadonlyMap<string, string>
}

/** All tables that iptables-save prints. */
export type Ruleset = ReadonlyMap<string, SavedTable>

/** Reads iptables-save's output; lines it does not know are skipped. */
export function parseSaved(text: string): Ruleset {
  const tables = new Map<string, SavedTable>()
  let chains = new Map<string, string[]>()
  let policies = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      chains = new Map()
      policies = new Map()
      tables.set(line.slice(1).trim(), { chains, policies })
    } else if (line.startsWith(':')) {
      const [name = '', policy = '-'] = line.slice(1).split(' ')
      chains.set(name, [])
      if (policy !== '-') policies.set(name, policy)
    } else if (line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3)
      const name = end < 0 ? line.slice(3) : line.slice(3, end)
      chains.get(name)?.push(end < 0 ? '' : line.slice(end + 1))
    }
  }
  return tables
}

/** The words of a rule, quotes and escapes undone. */
export function words(rule: string): readonly string[] {
  const found = rule.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []
  return found.map((word) => (word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word))
}

/** Whether two rules are the same. */
export function sameRule(a: string, b: string): boolean {
  return a === b || words(a).join('\0') === words(b).join('\0')
}

/** The chain or target a rule ends in. */
export function ruleTarget(rule: string): string | undefined {
  const all = words(rule)
  const at = all.findIndex((word) => word === '-j' || word === '-g')
  return at < 0 ? undefined : all[at + 1]
}

/** The devices a rule names, those after "!" included. */
export function devicesOf(rule: string): readonly string[] {
  const all = words(rule)
  return all.filter((_, i) => all[i - 1] === '-i' || all[i - 1] === '-o')
}

/** Whether a rule is one that a flanneld wrote. */
function isFlannels(rule: string): boolean {
  const all = words(rule)
  const comment = all[all.indexOf('--comment') + 1]
  return comment === 'flanneld forward' || comment === 'flanneld masq'
}

/** The networks a rule names. */
function networksOf(rule: string): readonly Prefix[] {
  const all = words(rule)
  return all.flatMap((word, i) => {
    const prefix = word === '-s' || word === '-d' ? parsePrefix(all[i + 1] ?? '') : undefined
    return prefix === undefined ? [] : [prefix]
  })
}

/**
 * Whether a rule in one of our chains was put there by another flanneld of this host, for another network: it has our
 * comment and names networks, none of which is one of `mine` or shares an address with it.
 */
export function isAnothers(rule: string, mine: readonly Prefix[]): boolean {
  if (!isFlannels(rule)) return false
  const named = networksOf(rule)
  return named.length > 0 && !named.some((prefix) => mine.some((own) => overlaps(prefix, own)))
}

/** Whether a rule in one of our chains is there once for all flannelds of this host: it has our comment and names no network. */
export function isSharedRule(rule: string): boolean {
  return isFlannels(rule) && networksOf(rule).length === 0
}
