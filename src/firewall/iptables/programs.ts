// The iptables programs: which of them hold the rules of this host, reading a ruleset, applying a transaction.
// Invariant: one process to read, one to apply (iptables-restore --noflush: each table's part is atomic).
import { setTimeout as pause } from 'node:timers/promises'
import type { Family } from '../../ip/address.ts'
import type { Prefix } from '../../ip/prefix.ts'
import { OperatorError } from '../../errors.ts'
import { legacyTableNames } from './legacy.ts'
import { TABLES } from './rules.ts'
import { type Ruleset, type SavedTable, parseSaved } from './ruleset.ts'
import { type Runner, output, runProgram } from '../run.ts'
import { transaction } from './transaction.ts'

/** The two kernels' parts behind the name iptables. */
type Variant = 'nft' | 'legacy'

/** The programs of one family and variant. */
export interface Iptables {
  readonly family: Family
  readonly variant: Variant
  /** Whether the choice cannot change: `iptables` is the legacy one. Otherwise Docker may start to use the other variant. */
  readonly final: boolean
  readonly save: string
  readonly restore: string
}

/** Another process that writes at the same time makes us fail or read other rules than we wrote: try this often. */
export const ATTEMPTS = 5
const APART_MS = 50

/** Seconds iptables-restore waits for another program's lock: less than run's limit. */
const LOCK_WAIT_S = '5'

/**
 * The programs to write with: those whose tables Docker's chains are in; without Docker what `iptables` in PATH is, but
 * legacy when only legacy tables hold rules. Throws OperatorError when iptables is not installed.
 */
export async function findIptables(runner: Runner, family: Family, netns: string | undefined): Promise<Iptables> {
  const name = family === 4 ? 'iptables' : 'ip6tables'
  const version = await output(runner, name, ['-V'])
  const variant: Variant = version.includes('nf_tables') ? 'nft' : 'legacy'
  const usual = { family, variant, final: variant === 'legacy', save: `${name}-save`, restore: `${name}-restore` }
  if (variant === 'legacy' || legacyTableNames(family, netns).length === 0) return usual
  const legacy = legacyIptables(family)
  const [inNft, inLegacy] = [await look(runner, usual), await look(runner, legacy)]
  if (inNft.docker !== inLegacy.docker) return inLegacy.docker ? legacy : usual
  return inLegacy.rules > 0 && inNft.rules === 0 ? legacy : usual
}

/** The legacy programs by their own name. */
export function legacyIptables(family: Family): Iptables {
  const name = family === 4 ? 'iptables-legacy' : 'ip6tables-legacy'
  return { family, variant: 'legacy', final: false, save: `${name}-save`, restore: `${name}-restore` }
}

/** How many rules exist that are not ours, which must not decide; and whether Docker's chains exist. */
async function look(runner: Runner, iptables: Iptables): Promise<{ rules: number; docker: boolean }> {
  const { status, stdout } = await runProgram(runner, iptables.save, [])
  const lines = status === 0 ? stdout.split('\n') : []
  return {
    rules: lines.filter((line) => line.startsWith('-A ') && !line.includes('FLANNEL-')).length,
    docker: lines.some((line) => line.startsWith(':DOCKER-USER ')),
  }
}

/** Every table there is. Throws OperatorError. */
export async function readRuleset(runner: Runner, iptables: Iptables): Promise<Ruleset> {
  return parseSaved(await output(runner, iptables.save, []))
}

/**
 * Applies a transaction. When it is refused, as after another process wrote since the reading it was made from, this returns
 * after a random pause, so that two processes in conflict retry at different times; the caller reads again. The last of
 * ATTEMPTS throws OperatorError with the program's words.
 */
export async function applyTransaction(
  runner: Runner,
  iptables: Iptables,
  text: string,
  attempt: number,
): Promise<void> {
  try {
    await output(runner, iptables.restore, ['--noflush', '--wait', LOCK_WAIT_S], text)
  } catch (error) {
    if (attempt >= ATTEMPTS) throw error
    await pause(Math.random() * APART_MS)
  }
}

/**
 * Removes our chains and jumps from one variant's tables. `mine` as in transaction. Tables that held only ours and are
 * not in `before` are removed too: iptables leaves empty ones behind when rules were written (nft only).
 */
export async function removeOurs(
  runner: Runner,
  iptables: Iptables,
  mine: readonly Prefix[],
  before: ReadonlySet<string>,
): Promise<void> {
  const { written, left } = await removal(runner, iptables, mine)
  if (iptables.variant !== 'nft') return
  const touched = TABLES.filter((table) => written.includes(`*${table}\n`) && !before.has(table))
  const family = iptables.family === 4 ? 'ip' : 'ip6'
  for (const table of touched) {
    const saved = left.get(table)
    const empty =
      saved !== undefined &&
      [...saved.chains].every(([name, rules]) => rules.length === 0 && saved.policies.get(name) === 'ACCEPT')
    // An nft that is missing or finds the table in use leaves an empty one, which does nothing.
    if (empty) await runProgram(runner, 'nft', ['-f', '-'], emptyTable(family, table, saved)).catch(() => undefined)
  }
}

/**
 * Reads and removes until nothing of ours is read: of daemons that remove at the same moment each leaves what they share to
 * the others, until one finds itself the last. What was written, tried ones too, as some of their tables were; what is left.
 */
async function removal(
  runner: Runner,
  iptables: Iptables,
  mine: readonly Prefix[],
): Promise<{ readonly written: string; readonly left: Ruleset }> {
  let written = ''
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const left = await readRuleset(runner, iptables)
    const text = transaction(left, new Map(), mine)
    if (text === undefined) return { written, left }
    written += text
    await applyTransaction(runner, iptables, text, attempt)
  }
  throw new OperatorError(`firewall: ${iptables.restore}: our rules come back as fast as they are removed`)
}

/** Unlike a table, a chain that got a rule meanwhile is not deleted, and with it nothing is. */
function emptyTable(family: string, table: string, { chains }: SavedTable): string {
  // iptables-save shows built-in chains that are not there yet: added first, each can be deleted.
  const lines = [...chains.keys()].flatMap((name) =>
    ['add', 'delete'].map((verb) => `${verb} chain ${family} ${table} ${name}`),
  )
  return `${lines.join('\n')}\ndelete table ${family} ${table}\n`
}
