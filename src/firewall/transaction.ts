// From the rules there are and the rules wanted to the one text for iptables-restore that makes up the difference.
// Pure. Invariants: no difference, no text; whatever is not ours is in no line of it; a chain is filled anew and
// its jump moved inside the one transaction of its table, so at no moment is a rule absent.
import type { Prefix } from '../ip/prefix.ts'
import { type DesiredChains, type DockerChains, JUMPS, type Jump, TABLES, type Table } from './rules.ts'
import { type Ruleset, type SavedTable, isAnothers, isShared, sameRule, targetOf } from './ruleset.ts'

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
 * ours to keep right or drop: the present one and those we had; rules of another flanneld's network stay.
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
  const kept: Jump[] = []
  for (const jump of JUMPS.filter((one) => one.table === table)) {
    const wanted = desired.get(`${table} ${jump.to}`)
    const present = saved.chains.get(jump.to)
    const others = (present ?? []).filter((rule) => isAnothers(rule, mine))
    if (wanted === undefined && others.length === 0) {
      if (present !== undefined) remove.push(`-F ${jump.to}`, `-X ${jump.to}`)
      continue
    }
    kept.push(jump)
    const rules = wanted ?? []
    // What others of this host need as well stays with them.
    const ours = present?.filter((rule) => !others.includes(rule) && (wanted !== undefined || !isShared(rule)))
    if (ours === undefined || !sameRules(ours, rules)) fill.push(...chainFill(jump.to, present, ours ?? [], rules))
  }
  return [...fill, ...jumpLines(table, saved, kept), ...remove]
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

/** Lines that put the jumps of a table in their places, and drop those of chains not kept. */
function jumpLines(table: Table, saved: SavedTable, kept: readonly Jump[]): readonly string[] {
  const chains = new Set(JUMPS.filter((jump) => jump.table === table).map((jump) => jump.to))
  const froms = new Set(JUMPS.filter((jump) => jump.table === table).map((jump) => jump.from))
  return [...froms].flatMap((from) => {
    const present = saved.chains.get(from)
    // Built-in chains come into being when first used; Docker's does not.
    if (present === undefined && from === 'DOCKER-USER') return []
    return chainLines(from, present ?? [])
  })

  function chainLines(from: string, present: readonly string[]): readonly string[] {
    const ours = present.filter((rule) => chains.has(targetOf(rule) ?? ''))
    const wanted = kept.filter((jump) => jump.from === from)
    if (inPlace(present, ours, wanted)) return []
    const foreign = present.filter((rule) => !ours.includes(rule))
    let first = 1
    return [
      ...ours.map((rule) => `-D ${from} ${rule}`),
      ...wanted.map((jump) => {
        const at = jump.place === 'first' ? first++ : returnAt(foreign) + 1
        return `-I ${from} ${at} ${jump.rule}`
      }),
    ]
  }
}

function inPlace(present: readonly string[], ours: readonly string[], wanted: readonly Jump[]): boolean {
  if (
    !sameRules(
      ours,
      wanted.map((jump) => jump.rule),
    )
  )
    return false
  return wanted.every((jump, i) => {
    const at = present.findIndex((rule) => sameRule(rule, jump.rule))
    return jump.place === 'first' ? at === i : at <= returnAt(present)
  })
}

/** The index of the rule that ends a chain for every packet, or the chain's length. */
function returnAt(rules: readonly string[]): number {
  const at = rules.findIndex((rule) => sameRule(rule, '-j RETURN'))
  return at < 0 ? rules.length : at
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((rule, i) => sameRule(rule, b[i] ?? ''))
}
