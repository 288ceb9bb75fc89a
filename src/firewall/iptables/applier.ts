// Writes the iptables rules of one address family where they differ from what is wanted, and knows whether they still match.
// Invariants: only differences are written. After a pass that resolves, the rules were read back and match; `unchanged`
// covers every change since that reading began, by any process, and starts none.
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
import { LegacyWatch } from './legacy-watch.ts'
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
  /** What `note` returned before the reading that found no difference. */
  readonly noted: number | undefined
}

/** Applies the rules of one family. */
export class Applier {
  readonly #runner: Runner
  readonly #family: Family
  readonly #netns: string | undefined
  readonly #legacy: LegacyWatch
  #iptables: Iptables | undefined
  /** Tables that existed before our first write. */
  #before: ReadonlySet<string> | undefined

  /** Works in `netns` (a path; the process's own by default), where `runner` must start its programs too. */
  constructor(runner: Runner, family: Family, netns?: string) {
    this.#runner = runner
    this.#family = family
    this.#netns = netns
    this.#legacy = new LegacyWatch(family, netns)
  }

  /** Reads, compares, writes the difference and reads again, `note` before each reading. Throws OperatorError. */
  async apply(
    inputs: readonly FirewallInput[],
    mine: readonly Prefix[],
    note: () => Promise<number | undefined>,
  ): Promise<Pass> {
    const last = this.#iptables
    const iptables = await this.#find()
    let text: string | undefined
    for (let written = 0; written < ATTEMPTS; written++) {
      const noted = await note()
      const ruleset = await this.#read(iptables)
      this.#before ??= new Set(ruleset.keys())
      const docker = dockerChains(ruleset)
      text = transaction(ruleset, desiredChains(inputs, docker), mine)
      if (text === undefined) {
        if (last !== undefined && last.variant !== iptables.variant)
          await removeOurs(this.#runner, last, mine, new Set())
        return { iptables, docker, written, noted }
      }
      await applyTransaction(this.#runner, iptables, text, written + 1)
    }
    // This iptables prints the rules in other words, or another process undoes them as fast as we write them.
    throw new OperatorError(`firewall: ${iptables.restore}: rules read back differ from those written: ${brief(text)}`)
  }

  /** Removes our rules from both variants' tables. Throws OperatorError. */
  async remove(mine: readonly Prefix[]): Promise<void> {
    const usual = this.#iptables ?? (await findIptables(this.#runner, this.#family, this.#netns))
    this.#iptables = undefined
    await removeOurs(this.#runner, usual, mine, this.#before ?? new Set())
    // Rules from a run when the other variant was in use.
    const other = legacyIptables(this.#family)
    if (usual.variant === 'nft') await removeOurs(this.#runner, other, mine, new Set()).catch(() => undefined)
  }

  /**
   * Whether the legacy tables are as last read; changes of nftables are reported by the watch on its ruleset. Of large tables,
   * and of those we do not write, only number and size of the entries are compared, unless `closely`.
   */
  unchanged(closely: boolean): boolean {
    return this.#iptables?.variant === 'nft' ? this.#legacy.sameNeighbors() : this.#legacy.same(closely)
  }

  close(): void {
    this.#legacy.close()
  }

  async #find(): Promise<Iptables> {
    if (this.#iptables === undefined || (!this.#iptables.final && this.#legacy.names().length > 0))
      this.#iptables = await findIptables(this.#runner, this.#family, this.#netns)
    return this.#iptables
  }

  async #read(programs: Iptables): Promise<Ruleset> {
    const read = (): Promise<Ruleset> => readRuleset(this.#runner, programs)
    return programs.variant === 'nft' ? this.#legacy.readNextTo(read) : this.#legacy.read(read)
  }
}

function brief(text: string | undefined): string {
  return (text ?? '').trim().split('\n').slice(0, 4).join(' / ')
}
