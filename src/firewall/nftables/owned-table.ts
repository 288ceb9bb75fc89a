// Keeps one nftables table of our own as it is wanted.
// Invariants: level-triggered, one nft process per change, each a transaction; the contents are known because nobody
// changed them since we wrote them, which the watch on the ruleset tells. What is not known is replaced whole.
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { type ElementChange, changeElements } from './elements.ts'
import type { TableFamily } from './nfnetlink.ts'
import { listTable, listTables, removal, writeTables } from './tables.ts'
import type { Runner } from '../run.ts'
import type { Syncs } from '../syncs.ts'
import { type RulesetWatch, tableKey, watchRuleset } from '../watch.ts'

/** What a table is for, as values and pure functions of what is wanted. */
export interface TableKind<Wanted> {
  /** The part of the firewall it is, for messages. */
  readonly what: string
  /** What it means that the table is missing, for the one warning. */
  readonly consequence: string
  readonly family: TableFamily
  /** The table's name; further ones are taken while those before are another daemon's. */
  names(wanted: Wanted): readonly [string, ...string[]]
  /** Whether a table, as nft lists it, is another daemon's of this host. Absent: a name tells whose a table is. */
  isAnothers?(listing: string): boolean
  /** What leads from what is known to be there (undefined: anything) to what is wanted. */
  difference(actual: Wanted | undefined, wanted: Wanted, name: string): Difference
  /** What to try instead of a text that nft refused: one that asks less of the kernel. Absent: nothing. */
  readonly lesser?: (text: string) => string
}

/** Text for nft, '' for nothing; or, where only a few elements of sets change, these. */
export type Difference = string | readonly ElementChange[]

/** Where and how. */
export interface TableOptions {
  readonly log: Log
  /** How often lost notifications are looked for, in seconds. */
  readonly resyncSeconds: number
  /** Path of another network namespace to work in (tests), where `runner` must start its programs too. */
  readonly netns: string | undefined
  readonly runner: Runner
  /** Names of tables that earlier runs may have left: they go, unless wanted again. */
  readonly previous: readonly string[]
  readonly syncs: Syncs
}

/** A table being kept. */
export interface OwnedTable<Wanted> {
  /** Wants these contents, or (undefined) no table. */
  want(wanted: Wanted | undefined): void
  /** Resolves when what was wanted last has been made so, or failed once. Never rejects. */
  settled(): Promise<void>
  /** Why the table is not as wanted. */
  error(): string | undefined
  /** Ends the loop; the table stays. */
  stop(): Promise<void>
}

const DEBOUNCE_MS = 100
/** Somebody who keeps undoing what we write is answered ever more slowly, down to this, while it goes on. */
const CONTENTION = { debounceMs: 1000, endsAfterMs: 5000 }
const BACKOFF_MS = { first: 1000, most: 60_000 }

/** A table that is left alone until want is called. */
export function keepTable<Wanted>(kind: TableKind<Wanted>, options: TableOptions): OwnedTable<Wanted> {
  const { log, netns, runner } = options
  let wanted: Wanted | undefined
  /** What the kernel has, as far as we know for sure. */
  let actual: Wanted | undefined
  /** Tables we made, and (once looked for) those of earlier runs. */
  const mayHave = new Set<string>()
  let previous = options.previous
  /** The table `actual` speaks of. */
  let current = ''
  /** Transactions on our tables told of while one of ours is under way; undefined while none is. */
  let touched: number | undefined
  let lastForeign = -Infinity
  let debounce = DEBOUNCE_MS
  let error: string | undefined
  /** Somebody else changed our table, and it is not put right yet. */
  let damaged = false
  let dirty = false
  let running: Promise<void> | undefined
  let stopped = false
  let watch: RulesetWatch | undefined
  let pending: NodeJS.Timeout | undefined
  let backoff = BACKOFF_MS.first

  function kick(): void {
    if (stopped) return
    clearTimeout(pending)
    pending = undefined
    dirty = true
    running ??= loop().finally(() => {
      running = undefined
      if (dirty) kick()
    })
  }

  function kickIn(milliseconds: number): void {
    if (!stopped) pending ??= setTimeout(kick, milliseconds)
  }

  async function loop(): Promise<void> {
    while (dirty && !stopped) {
      dirty = false
      const mending = damaged
      damaged = false
      try {
        await pass(wanted)
        if (error !== undefined) log.info(`${kind.what}: in place`)
        else if (mending) log.info(`${kind.what}: changed by somebody else: put right`)
        error = undefined
        backoff = BACKOFF_MS.first
      } catch (thrown) {
        actual = undefined
        damaged ||= mending
        failed(messageOf(thrown))
      }
    }
  }

  async function pass(next: Wanted | undefined): Promise<void> {
    // Whatever others did up to here is told before this resolves, and makes `actual` unknown.
    await watch?.generation()
    if (previous.length > 0) {
      const present = await listTables(runner)
      for (const name of previous) if (present.includes(`${kind.family} ${name}`)) mayHave.add(name)
      previous = []
    }
    const name = next && (await nameFor(next))
    if (next !== undefined && name !== undefined) {
      mayHave.add(name)
      current = name
      const difference = kind.difference(actual, next, name)
      if (difference.length > 0) await transact(difference, next)
      else actual = next
    }
    // Those of before go last: what they kept out is kept out by now.
    for (const other of [...mayHave].filter((one) => one !== name)) {
      if (!(await isAnothers(other))) await transact(removal(`${kind.family} ${other}`), next && actual)
      mayHave.delete(other)
    }
  }

  /** The name the table had last or the first, unless that is another daemon's; the last one, whoever has it. */
  async function nameFor(next: Wanted): Promise<string> {
    const names = kind.names(next)
    const known = names.includes(current)
    if (actual !== undefined && known) return current
    let name = known ? current : names[0]
    for (const other of names) {
      if (other === name || !(await isAnothers(name))) continue
      mayHave.delete(name)
      name = other
    }
    return name
  }

  async function isAnothers(name: string): Promise<boolean> {
    if (kind.isAnothers === undefined) return false
    const listing = await listTable(runner, `${kind.family} ${name}`)
    return listing !== undefined && kind.isAnothers(listing)
  }

  /** Runs one transaction, after which the kernel has `next`, unless somebody else wrote there at the same time. */
  async function transact(what: Difference, next: Wanted | undefined): Promise<void> {
    touched = 0
    try {
      if (typeof what === 'string') await writeTables(runner, what, kind.lesser)
      else changeElements(netns, { family: kind.family, name: current }, what)
      await watch?.generation()
      actual = next
      options.syncs.add('written')
      if (touched > 1) foreign()
    } finally {
      touched = undefined
    }
  }

  function failed(why: string): void {
    if (error !== why) log.warn(`${kind.what}: ${why}: ${kind.consequence}; trying again`)
    error = why
    options.syncs.add('failed')
    kickIn(backoff)
    backoff = Math.min(backoff * 2, BACKOFF_MS.most)
  }

  /** Somebody else changed our table: what is in it now we do not know. */
  function foreign(): void {
    actual = undefined
    damaged = wanted !== undefined
    const now = performance.now()
    const contended = now - lastForeign < CONTENTION.endsAfterMs
    debounce = contended ? Math.min(debounce * 1.5, CONTENTION.debounceMs) : DEBOUNCE_MS
    lastForeign = now
    if (error === undefined) kickIn(debounce)
  }

  function start(): void {
    if (watch !== undefined || stopped) return
    try {
      watch = watchRuleset(netns, options.resyncSeconds, ({ tables }) => {
        if (tables !== undefined && ![...mayHave].some((name) => tables.has(tableKey(kind.family, name)))) return
        if (touched === undefined) foreign()
        else touched += tables === undefined ? 2 : 1
      })
    } catch (thrown) {
      log.warn(`${kind.what}: ${messageOf(thrown)}: changes of nftables' ruleset are not noticed`)
    }
  }

  return {
    want(next) {
      if (next !== undefined) start()
      wanted = next
      kick()
    },
    settled: () => running ?? Promise.resolve(),
    error: () => error,
    async stop() {
      stopped = true
      clearTimeout(pending)
      watch?.close()
      await running
    },
  }
}
