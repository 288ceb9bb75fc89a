// The text for iptables-restore that leads from the present rules to the wanted ones. Pure.
// Invariants: no difference, no text; no line names a rule that is not ours. A chain is refilled and its jump moved inside the
// one transaction of its table, so no rule is absent at any moment.
import type { Prefix } from '../../ip/prefix.ts'
import { type DesiredChains, type DockerChains, JUMPS, type Jump, TABLES, type Table } from './rules.ts'
import {
  type Ruleset,
  type SavedTable,
  devicesOf,
  isAnothers,
  isSharedRule,
  sameRule,
  ruleTarget,
  words,
} from './ruleset.ts'

const NO_TABLE: SavedTable = { chains: new Map(), policies: new Map() }

/** Which of Docker's chains a ruleset has. */
export function dockerChains(ruleset: Ruleset): DockerChains {
  return {
    user: ruleset.get('filter')?.chains.has('DOCKER-USER') === true,
    nat: ruleset.get('nat')?.chains.has('DOCKER') === true,
  }
}

/**
 * Text for `iptables-restore --noflush`, or undefined when nothing differs. `mine` are the networks whose rules are
 * ours to keep or remove: the present ones and those we had. Rules of another flanneld's network stay.
 */
export function transaction(ruleset: Ruleset, desired: DesiredChains, mine: readonly Prefix[]): string | undefined {
  const parts = TABLES.flatMap((table) => {
    const lines = tableLines(table, ruleset.get(table) ?? NO_TABLE, desired, mine)
    return lines.length === 0 ? [] : [`*${table}`, ...lines, 'COMMIT']
  })
  return parts.length === 0 ? undefined : `${parts.join('\n')}\n`
}

function tableLines(
  table: Table,
  saved: SavedTable,
  desired: DesiredChains,
  mine: readonly Prefix[],
): readonly string[] {
  const fill: string[] = []
  const remove: string[] = []
  const kept = new Set<string>()
  for (const chain of ourChains(table)) {
    const wanted = desired.get(`${table} ${chain}`)
    const present = saved.chains.get(chain)
    const others = (present ?? []).filter((rule) => isAnothers(rule, mine))
    if (wanted === undefined && others.length === 0) {
      if (present !== undefined) remove.push(`-F ${chain}`, `-X ${chain}`)
      continue
    }
    kept.add(chain)
    const rules = wanted ?? []
    // Rules that other flannelds of this host need as well stay.
    const ours = present?.filter((rule) => !others.includes(rule) && (wanted !== undefined || !isSharedRule(rule)))
    if (ours === undefined || !sameRules(ours, rules)) fill.push(...chainFill(chain, present, ours ?? [], rules))
  }
  return [...fill, ...jumpLines(table, saved, kept), ...remove]
}

/** Our chains in a table; several jumps may lead to one. */
function ourChains(table: Table): ReadonlySet<string> {
  return new Set(JUMPS.filter((jump) => jump.table === table).map((jump) => jump.to))
}

/**
 * Lines that put `rules` in the place of `ours`. Declaring a chain empties it (iptables-restore(8), --noflush), so a chain
 * is not declared that another flanneld has rules in or may be making at this moment: -N fails then, and we read again.
 */
function chainFill(
  chain: string,
  present: readonly string[] | undefined,
  ours: readonly string[],
  rules: readonly string[],
): readonly string[] {
  if (present !== undefined && present.length > ours.length)
    return [...ours.map((rule) => `-D ${chain} ${rule}`), ...rules.map((rule, i) => `-I ${chain} ${i + 1} ${rule}`)]
  return [present === undefined ? `-N ${chain}` : `:${chain} - [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`)]
}

/** Lines that put the jumps of a table in their places, and remove those to chains that are not kept. */
function jumpLines(table: Table, saved: SavedTable, kept: ReadonlySet<string>): readonly string[] {
  const chains = ourChains(table)
  const froms = new Set(JUMPS.filter((jump) => jump.table === table).map((jump) => jump.from))
  return [...froms].flatMap((from) => {
    const present = saved.chains.get(from)
    // Built-in chains are created by their first use; Docker's is not.
    if (present === undefined && from === 'DOCKER-USER') return []
    return chainLines(from, present ?? [])
  })

  function chainLines(from: string, present: readonly string[]): readonly string[] {
    const isOurs = (rule: string): boolean => chains.has(ruleTarget(rule) ?? '')
    const wanted = JUMPS.filter((jump) => jump.table === table && jump.from === from && kept.has(jump.to))
    if (inPlace(present, isOurs, wanted)) return []
    const foreign = present.filter((rule) => !isOurs(rule))
    return [
      ...present.filter(isOurs).map((rule) => `-D ${from} ${rule}`),
      // Those before it are in the chain by then, each ahead of it.
      ...wanted.map((jump, i) => `-I ${from} ${placesOf(jump, foreign).last + i + 1} ${jump.rule}`),
    ]
  }
}

function inPlace(present: readonly string[], isOurs: (rule: string) => boolean, wanted: readonly Jump[]): boolean {
  const foreign: string[] = []
  /** How many foreign rules are ahead of each of ours. */
  const ahead: number[] = []
  const ours: string[] = []
  for (const rule of present) {
    if (isOurs(rule)) {
      ours.push(rule)
      ahead.push(foreign.length)
    } else foreign.push(rule)
  }
  const rules = wanted.map((jump) => jump.rule)
  return (
    sameRules(ours, rules) &&
    wanted.every((jump, i) => {
      const { first, last } = placesOf(jump, foreign)
      const at = ahead[i] ?? -1
      return at >= first && at <= last
    })
  )
}

/** Where a jump may stand: behind how many of the others' rules, at least and at most. */
function placesOf({ place }: Jump, foreign: readonly string[]): { readonly first: number; readonly last: number } {
  if (place === 'first') return { first: 0, last: 0 }
  if (place === 'last') return { first: 0, last: returnAt(foreign) }
  const first = foreign.findLastIndex(dockers(foreign)) + 1
  const end = foreign.findIndex((rule, i) => i >= first && refusesAll(rule))
  return { first, last: end < 0 ? foreign.length : end }
}

/** Recognizes Docker's own rules in FORWARD: a jump to one of its chains, or (engines before 28) a rule on one of its bridges. */
function dockers(forward: readonly string[]): (rule: string) => boolean {
  const isDockers = (rule: string): boolean => ruleTarget(rule)?.startsWith('DOCKER') === true
  const bridges = new Set(forward.filter(isDockers).flatMap(devicesOf))
  return (rule) => isDockers(rule) || devicesOf(rule).some((device) => bridges.has(device))
}

/** Whether a rule drops or rejects every packet there is. */
function refusesAll(rule: string): boolean {
  const all = words(rule)
    .join(' ')
    .replace(/^-m comment --comment .* -j /, '-j ')
  return /^-j (DROP|REJECT)\b/.test(all)
}

/** The index of the rule that ends a chain for every packet, or the chain's length. */
function returnAt(rules: readonly string[]): number {
  const at = rules.findIndex((rule) => sameRule(rule, '-j RETURN'))
  return at < 0 ? rules.length : at
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((rule, i) => sameRule(rule, b[i] ?? ''))
}
