// Keeps several nftables tables of one kind, one per thing they are for (a VNI, a network).
// Invariant: the table of a thing that replaces another goes by the same OwnedTable, so the old table is removed only when
// the new one is in place.
import { OwnedTable, type TableKind, type TableOptions } from './owned-table.ts'

/** What distinguishes the tables of one kind. */
export interface TablesKind<Wanted> {
  /** What a table is for: no two wanted at a time have the same. */
  key(wanted: Wanted): string
  /** The kind of the first table, and of the further ones, whose names must not be those of the first. */
  kind(place: 'first' | 'further'): TableKind<Wanted>
}

interface Slot<Wanted> {
  readonly table: OwnedTable<Wanted>
  key: string | undefined
}

/** Tables that are left alone until want is called. */
export class OwnedTables<Wanted> {
  readonly #kind: TablesKind<Wanted>
  readonly #options: TableOptions
  readonly #slots: Slot<Wanted>[] = []

  constructor(kind: TablesKind<Wanted>, options: TableOptions) {
    this.#kind = kind
    this.#options = options
  }

  /** Wants these tables and no others of ours. Throws TypeError when two are for the same thing. */
  want(all: readonly Wanted[]): void {
    const keys = all.map((wanted) => this.#kind.key(wanted))
    const twice = keys.find((key, i) => keys.indexOf(key) !== i)
    if (twice !== undefined) throw new TypeError(`${this.#kind.kind('first').what}: ${twice}: wanted twice`)
    if (this.#slots.length === 0) this.#addFirst(all)
    const free = this.#slots.filter(({ key }) => key === undefined || !keys.includes(key))
    for (const [i, wanted] of all.entries()) {
      const slot = this.#slots.find(({ key }) => key === keys[i]) ?? free.shift() ?? this.#add('further', [])
      slot.key = keys[i]
      slot.table.want(wanted)
    }
    for (const slot of free) {
      slot.key = undefined
      slot.table.want(undefined)
    }
  }

  /** Resolves when each table is as wanted, or its pass failed. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#slots.map(({ table }) => table.settled()))
  }

  /** Why tables are not as wanted. */
  get errors(): readonly string[] {
    return this.#slots.flatMap(({ table }) => table.error ?? [])
  }

  /** Ends the loops; the tables stay. */
  async stop(): Promise<void> {
    await Promise.all(this.#slots.map(({ table }) => table.stop()))
  }

  /** The first one removes the tables of earlier runs, but not those that further ones take over. */
  #addFirst(all: readonly Wanted[]): void {
    const further = all.slice(1).flatMap((wanted) => this.#kind.kind('further').names(wanted))
    this.#add(
      'first',
      this.#options.previous.filter((name) => !further.includes(name)),
    )
  }

  #add(place: 'first' | 'further', previous: readonly string[]): Slot<Wanted> {
    const table = new OwnedTable(this.#kind.kind(place), { ...this.#options, previous })
    const slot: Slot<Wanted> = { table, key: undefined }
    this.#slots.push(slot)
    return slot
  }
}
