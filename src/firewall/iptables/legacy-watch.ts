// Whether iptables-legacy's tables of one address family are still as they were last read.
// Invariant: the state compared with later is noted before the tables are read, so no change in between is missed.
import type { Family } from '../../ip/address.ts'
import { type LegacyTables, legacyTableNames, openLegacyTables } from './legacy.ts'
import type { Ruleset } from './ruleset.ts'

/** Entries of tables whose comparison took longer are compared at the resync only: once a second it would cost too much of a core. */
const SLOW_PASS_MS = 5

export class LegacyWatch {
  readonly #family: Family
  readonly #netns: string | undefined
  #opened: LegacyTables | undefined
  /** The tables last read, and their state then. */
  #tables: readonly string[] = []
  #size: string | undefined
  #entries: string | undefined
  /** How long the last comparison of entries took. */
  #passMs = 0
  /** Sizes of the legacy tables next to the nft rules we keep. */
  #neighbors = ''

  constructor(family: Family, netns: string | undefined) {
    this.#family = family
    this.#netns = netns
  }

  /** The legacy tables that exist. */
  names(): readonly string[] {
    return legacyTableNames(this.#family, this.#netns)
  }

  /** Reads the legacy tables, by `read`. */
  async read(read: () => Promise<Ruleset>): Promise<Ruleset> {
    const legacy = this.#open()
    for (;;) {
      this.#size = legacy.size(this.#tables)
      this.#entries = legacy.entries(this.#tables)
      const ruleset = await read()
      const found = [...ruleset.keys()]
      if (found.join() === this.#tables.join()) return ruleset
      this.#tables = found
    }
  }

  /** Reads nft's tables, by `read`, and notes the legacy ones: Docker may start to use them. */
  readNextTo(read: () => Promise<Ruleset>): Promise<Ruleset> {
    this.#neighbors = this.#sizeOfNeighbors()
    return read()
  }

  /** Whether the legacy tables are as at the last `read`. */
  same(closely: boolean): boolean {
    const legacy = this.#opened
    if (legacy === undefined) return true
    if (legacy.size(this.#tables) !== this.#size) return false
    if (!closely && this.#passMs > SLOW_PASS_MS) return true
    const start = performance.now()
    const same = legacy.entries(this.#tables) === this.#entries
    this.#passMs = performance.now() - start
    return same
  }

  /** Whether the legacy tables are as at the last `readNextTo`. */
  sameNeighbors(): boolean {
    return this.#sizeOfNeighbors() === this.#neighbors
  }

  close(): void {
    this.#opened?.close()
    this.#opened = undefined
  }

  #open(): LegacyTables {
    return (this.#opened ??= openLegacyTables(this.#family, this.#netns))
  }

  #sizeOfNeighbors(): string {
    const names = this.names()
    return names.length === 0 ? '' : (this.#open().size(names) ?? '')
  }
}
