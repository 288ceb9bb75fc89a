// Makes the iptables rules of one address family be what is wanted, and knows whether they still are.
// Invariants: nothing is written that does not differ; after a pass that resolved, the rules were read back and found
// right, and `unchanged` answers for changes made by anybody since that reading began, without starting a process.
import type { Family } from '../../ip/address.ts'
import type { Prefix } from '../../ip/prefix.ts'
import { OperatorError } from '../../errors.ts'
import {
  ATTEMPTS,
  type Iptables,
  applyTransaction,
  findIptables,
  legacyIptables,
  readRuleset,
  removeOurs,
} from './programs.ts'
import { type LegacyTables, legacyTableNames, openLegacyTables } from './legacy.ts'
import { type DockerChains, type FirewallInput, desiredChains } from './rules.ts'
import type { Ruleset } from './ruleset.ts'
import type { Runner } from '../run.ts'
import { dockerChains, transaction } from './transaction.ts'

/** What a pass found and did. */
export interface Pass {
  readonly iptables: Iptables
  readonly docker: DockerChains
  /** Transactions written. */
  readonly written: number
  /** What `note` gave before the reading that found all right. */
  readonly noted: number | undefined
}

/** The applier of one family. */
export interface Applier {
  /** Reads, compares, writes the difference and reads again, `note` before each reading. Throws OperatorError. */
  apply(input: FirewallInput, mine: readonly Prefix[], note: () => Promise<number | undefined>): Promise<Pass>
  /** Takes what is ours out of both variants' tables. Throws OperatorError. */
  remove(mine: readonly Prefix[]): Promise<void>
  /**
   * Whether legacy tables are as last read; nft's are watched by others. Of large tables, and of those that are not
   * ours to write, only number and size of the entries are compared, unless `closely`.
   */
  unchanged(closely: boolean): boolean
  close(): void
}

/** Comparing entries once a second may cost half a percent of a core. */
const DEAR_MS = 5

/** An applier for `netns` (a path; the process's own by default), where `runner` must start its programs too. */
export function createApplier(runner: Runner, family: Family, netns?: string): Applier {
  let iptables: Iptables | undefined
  /** Tables there were before our first write. */
  let before: ReadonlySet<string> | undefined
  let legacy: LegacyTables | undefined
  let tables: readonly string[] = []
  let size: string | undefined
  let entries: string | undefined
  /** Milliseconds the last comparison of entries took. */
  let cost = 0
  /** The legacy tables beside the nft rules we keep: Docker may come to use them. */
  let beside = ''

  function besides(): string {
    const names = legacyTableNames(family, netns)
    if (names.length === 0) return ''
    legacy ??= openLegacyTables(family, netns)
    return legacy.size(names) ?? ''
  }

  /** Reads the ruleset, having noted first what it is compared with later. */
  async function read(programs: Iptables): Promise<Ruleset> {
    if (programs.variant === 'nft') {
      beside = besides()
      return readRuleset(runner, programs)
    }
    legacy ??= openLegacyTables(family, netns)
    for (;;) {
      size = legacy.size(tables)
      entries = legacy.entries(tables)
      const ruleset = await readRuleset(runner, programs)
      const found = [...ruleset.keys()]
      if (found.join() === tables.join()) return ruleset
      tables = found
    }
  }

  return {
    async apply(input, mine, note) {
      const last = iptables
      if (iptables === undefined || (!iptables.forGood && legacyTableNames(family, netns).length > 0))
        iptables = await findIptables(runner, family, netns)
      let text: string | undefined
      for (let written = 0; written < ATTEMPTS; written++) {
        const noted = await note()
        const ruleset = await read(iptables)
        before ??= new Set(ruleset.keys())
        const docker = dockerChains(ruleset)
        text = transaction(ruleset, desiredChains(input, docker), mine)
        if (text === undefined) {
          if (last !== undefined && last.variant !== iptables.variant) await removeOurs(runner, last, mine, new Set())
          return { iptables, docker, written, noted }
        }
        await applyTransaction(runner, iptables, text, written + 1)
      }
      // Some iptables prints these rules in other words, or somebody undoes them as fast as we write them.
      throw new OperatorError(`firewall: ${iptables.restore}: rules read back otherwise than written: ${brief(text)}`)
    },

    async remove(mine) {
      const usual = iptables ?? (await findIptables(runner, family, netns))
      iptables = undefined
      await removeOurs(runner, usual, mine, before ?? new Set())
      // Rules from a run when the other variant was in use.
      const other = legacyIptables(family)
      if (usual.variant === 'nft') await removeOurs(runner, other, mine, new Set()).catch(() => undefined)
    },

    unchanged(closely) {
      if (iptables?.variant === 'nft') return besides() === beside
      if (legacy === undefined) return true
      if (legacy.size(tables) !== size) return false
      if (!closely && cost > DEAR_MS) return true
      const start = performance.now()
      const same = legacy.entries(tables) === entries
      cost = performance.now() - start
      return same
    },

    close() {
      legacy?.close()
      legacy = undefined
    },
  }
}

function brief(text: string | undefined): string {
  return (text ?? '').trim().split('\n').slice(0, 4).join(' / ')
}
