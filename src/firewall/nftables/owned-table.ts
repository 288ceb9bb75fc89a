// Keeps one nftables table of our own as it is wanted.
// Invariants: one nft process per change, each a transaction. The contents are known as long as the watch on the ruleset
// reports no change by another process. A table with unknown contents is replaced.
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { KeptLoop } from '../kept-loop.ts'
import { type ElementChange, changeElements } from './elements.ts'
import type { TableFamily } from './nfnetlink.ts'
import { listTable, listTables, removal, writeTables } from './tables.ts'
import type { Runner } from '../run.ts'
import type { Syncs } from '../syncs.ts'
import { type RulesetChange, RulesetWatch, tableKey } from '../watch.ts'

/** What a table is for, as values and pure functions of what is wanted. */
export interface TableKind<Wanted> {
  /** The part of the firewall it is, for messages. */
  readonly what: string
  /** What it means that the table is missing, for the one warning. */
  readonly consequence: string
  readonly family: TableFamily
  /** The table's name, and further ones to use while those before belong to another daemon. */
  names(wanted: Wanted): readonly [string, ...string[]]
  /** Whether a table, as nft lists it, belongs to another daemon on this host. Absent: the name alone identifies the owner. */
  isAnothers?(listing: string, name: string): boolean
  /** The change from the known contents (undefined: unknown) to the wanted ones. */
  difference(actual: Wanted | undefined, wanted: Wanted, name: string): Difference
  /** The text to try after nft refused one: it needs fewer features of the kernel. Absent: there is none. */
  readonly lesser?: (text: string) => string
}

/** Text for nft, '' for no change; or the elements, where only a few elements of sets change. */
export type Difference = string | readonly ElementChange[]

/** What an OwnedTable needs. */
export interface TableOptions {
  readonly log: Log
  /** How often lost notifications are looked for, in seconds. */
  readonly resyncSeconds: number
  /** Path of another network namespace to work in (tests), where `runner` must start its programs too. */
  readonly netns: string | undefined
  readonly runner: Runner
  /** Names of tables that earlier runs may have left, "*" for any end: they are removed, unless wanted again. */
  readonly previous: readonly string[]
  readonly syncs: Syncs
}

const LONGEST_RETRY_MS = 60_000

/** A table that is left alone until want is called. */
export class OwnedTable<Wanted> {
  readonly #kind: TableKind<Wanted>
  readonly #options: TableOptions
  readonly #loop: KeptLoop
  #wanted: Wanted | undefined
  /** What the kernel has; undefined when that is not known. */
  #actual: Wanted | undefined
  /** The table that #actual describes. */
  #current = ''
  /** Tables we made, and (once looked for) those of earlier runs. */
  readonly #mayHave = new Set<string>()
  #previous: readonly string[]
  /** Transactions on our tables reported while one of ours is under way; undefined while none is. */
  #touched: number | undefined
  #written = 0
  /** Another process changed our table, and it is not repaired yet. */
  #damaged = false
  /** Whether the pass under way repairs that. */
  #repairing = false
  #error: string | undefined
  #watch: RulesetWatch | undefined
  #stopped = false

  constructor(kind: TableKind<Wanted>, options: TableOptions) {
    this.#kind = kind
    this.#options = options
    this.#previous = options.previous
    this.#loop = new KeptLoop({
      pass: () => this.#pass(),
      succeeded: () => {
        this.#succeeded()
      },
      failed: (error) => {
        this.#failed(messageOf(error))
      },
      longestRetryMs: LONGEST_RETRY_MS,
    })
  }

  /** Why the table is not as wanted. */
  get error(): string | undefined {
    return this.#error
  }

  /** Wants these contents, or (undefined) no table. */
  want(wanted: Wanted | undefined): void {
    if (wanted !== undefined) this.#startWatch()
    this.#wanted = wanted
    this.#loop.kick()
  }

  /** Resolves when the table is as wanted, or a pass failed. Never rejects. */
  settled(): Promise<void> {
    return this.#loop.settled()
  }

  /** Ends the loop; the table stays. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#watch?.close()
    return this.#loop.stop()
  }

  async #pass(): Promise<number> {
    const next = this.#wanted
    this.#written = 0
    // Every change by others up to here is reported before this resolves, and makes #actual unknown.
    await this.#watch?.generation()
    this.#repairing = this.#damaged
    this.#damaged = false
    await this.#findPrevious()
    const name = next && (await this.#nameFor(next))
    if (next !== undefined && name !== undefined) {
      this.#mayHave.add(name)
      this.#current = name
      const difference = this.#kind.difference(this.#actual, next, name)
      if (difference.length > 0) await this.#transact(difference, next)
      else this.#actual = next
    }
    // The previous tables go last: what they kept out, the new one keeps out by now.
    for (const other of [...this.#mayHave].filter((one) => one !== name)) {
      if (!(await this.#isAnothers(other)))
        await this.#transact(removal(`${this.#kind.family} ${other}`), next && this.#actual)
      this.#mayHave.delete(other)
    }
    return this.#written
  }

  /** Looks for the tables of earlier runs, once. */
  async #findPrevious(): Promise<void> {
    if (this.#previous.length === 0) return
    const present = await listTables(this.#options.runner)
    const start = `${this.#kind.family} `
    const names = present.flatMap((table) => (table.startsWith(start) ? [table.slice(start.length)] : []))
    for (const name of names) if (this.#previous.some((one) => isNamed(name, one))) this.#mayHave.add(name)
    this.#previous = []
  }

  /** The name the table had last, or the first, unless it is another daemon's; the last one in any case. */
  async #nameFor(next: Wanted): Promise<string> {
    const names = this.#kind.names(next)
    const known = names.includes(this.#current)
    if (this.#actual !== undefined && known) return this.#current
    let name = known ? this.#current : names[0]
    for (const other of names) {
      if (other === name || !(await this.#isAnothers(name))) continue
      this.#mayHave.delete(name)
      name = other
    }
    return name
  }

  async #isAnothers(name: string): Promise<boolean> {
    if (this.#kind.isAnothers === undefined) return false
    const listing = await listTable(this.#options.runner, `${this.#kind.family} ${name}`)
    return listing !== undefined && this.#kind.isAnothers(listing, name)
  }

  /** Runs one transaction, after which the kernel has `next`, unless another process wrote to it at the same time. */
  async #transact(what: Difference, next: Wanted | undefined): Promise<void> {
    const { runner, netns, syncs } = this.#options
    const { family, lesser } = this.#kind
    this.#touched = 0
    try {
      if (typeof what === 'string') await writeTables(runner, what, lesser)
      else changeElements(netns, { family, name: this.#current }, what)
      await this.#watch?.generation()
      this.#actual = next
      this.#written++
      syncs.add('written')
      if (this.#touched > 1) this.#changedByOthers()
    } finally {
      this.#touched = undefined
    }
  }

  #succeeded(): void {
    const { what } = this.#kind
    if (this.#error !== undefined) this.#options.log.info(`${what}: in place`)
    else if (this.#repairing) this.#options.log.info(`${what}: changed by another process: repaired`)
    this.#error = undefined
  }

  #failed(why: string): void {
    const { what, consequence } = this.#kind
    this.#actual = undefined
    this.#damaged ||= this.#repairing
    if (this.#error !== why) this.#options.log.warn(`${what}: ${why}: ${consequence}; trying again`)
    this.#error = why
    this.#options.syncs.add('failed')
  }

  #changedByOthers(): void {
    this.#actual = undefined
    this.#damaged = this.#wanted !== undefined
    this.#loop.changed()
  }

  #startWatch(): void {
    if (this.#watch !== undefined || this.#stopped) return
    const { netns, resyncSeconds, log } = this.#options
    try {
      this.#watch = new RulesetWatch(netns, resyncSeconds, (change) => {
        if (!this.#concerns(change)) return
        if (this.#touched === undefined) this.#changedByOthers()
        // Lost notifications may have been those of another process.
        else this.#touched += change.tables === undefined ? 2 : 1
      })
    } catch (thrown) {
      log.warn(`${this.#kind.what}: ${messageOf(thrown)}: changes of nftables' ruleset are not noticed`)
    }
  }

  #concerns({ tables }: RulesetChange): boolean {
    return tables === undefined || [...this.#mayHave].some((name) => tables.has(tableKey(this.#kind.family, name)))
  }
}

/** Whether a name is that of a pattern, which may end in "*". */
export function isNamed(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
