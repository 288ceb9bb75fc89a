// Keeps the iptables rules of one address family as they are wanted.
// Invariant: a pass runs only when the wish or the tables changed, or the last pass failed: the steady state starts no
// process.
import type { Family } from '../../ip/address.ts'
import type { Prefix } from '../../ip/prefix.ts'
import { messageOf } from '../../errors.ts'
import { KeptLoop } from '../kept-loop.ts'
import type { Log } from '../../log.ts'
import { NotInstalled, type Runner } from '../run.ts'
import type { Syncs } from '../syncs.ts'
import { type RulesetChange, tableKey } from '../watch.ts'
import { Applier, type Pass } from './applier.ts'
import { type FirewallInput, TABLES } from './rules.ts'

/** What the rules of all families share. */
export interface SharedByFamilies {
  readonly log: Log
  /** Path of the network namespace to work in; undefined for the process's own. */
  readonly netns: string | undefined
  readonly runner: Runner
  readonly syncs: Syncs
  /** Networks we have and had: their rules are ours to keep or remove. */
  readonly mine: () => readonly Prefix[]
  /** Number of the ruleset; undefined when it is not known. */
  readonly generation: () => Promise<number | undefined>
  /** Runs the passes of the families one after another: they wait for the same lock. */
  inTurn<T>(pass: () => Promise<T>): Promise<T>
}

const LONGEST_RETRY_MS = 15_000

export class FamilyRules {
  readonly #family: Family
  readonly #shared: SharedByFamilies
  readonly #keys: readonly string[]
  readonly #loop: KeptLoop
  #inputs: readonly FirewallInput[] = []
  #applier: Applier | undefined
  #pass: Pass | undefined
  #error: string | undefined
  #written = 0
  /** Whether the tables were read once, so that no rules of an earlier run can be left. */
  #swept = false

  constructor(family: Family, shared: SharedByFamilies) {
    this.#family = family
    this.#shared = shared
    this.#keys = TABLES.map((table) => tableKey(family === 4 ? 'ip' : 'ip6', table))
    this.#loop = new KeptLoop({
      pass: () => shared.inTurn(() => this.#sync()),
      succeeded: () => {
        this.#succeeded()
      },
      failed: (error) => {
        const hint = error instanceof NotInstalled ? `: IPv${family} has no rules of ours: install iptables` : ''
        this.#failed(`${messageOf(error)}${hint}`)
      },
      longestRetryMs: LONGEST_RETRY_MS,
    })
  }

  /** What the last pass found and did; undefined when none of our rules are wanted. */
  get pass(): Pass | undefined {
    return this.#pass
  }

  /** Why the rules are not as wanted. */
  get error(): string | undefined {
    return this.#error
  }

  /** Transactions written since the daemon's start. */
  get written(): number {
    return this.#written
  }

  /** Wants the rules of these networks, all of this family. */
  want(inputs: readonly FirewallInput[]): void {
    this.#inputs = inputs
    this.#loop.kick()
  }

  settled(): Promise<void> {
    return this.#loop.settled()
  }

  /** A process, possibly ours, changed nftables' ruleset, which iptables-nft's tables are in. */
  changed(change: RulesetChange): void {
    // Whether a change during a pass is its own is known only when the pass has ended.
    if (this.#loop.busy)
      void this.#loop.settled().then(() => {
        this.changed(change)
      })
    else if (this.#concerns(change)) this.#loop.changed()
  }

  /** Reads the tables again if the legacy ones, which have no notifications, differ from what the last pass left. */
  compareLegacy(closely: boolean): void {
    if (this.#loop.busy || this.#loop.failing || this.#applier === undefined) return
    if (!this.#applier.unchanged(closely)) this.#loop.kick()
  }

  /** Ends the passes; rules stay as they are. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    this.#applier?.close()
  }

  /** Removes our rules. Throws OperatorError. */
  async sweep(): Promise<void> {
    const applier = this.#applier
    const { runner, netns, mine } = this.#shared
    try {
      await (applier ?? new Applier(runner, this.#family, netns)).remove(mine())
    } catch (thrown) {
      // This host may not support a family that we have no rules in.
      const mayBeMissing = applier === undefined && (this.#family === 6 || thrown instanceof NotInstalled)
      if (!mayBeMissing) throw thrown
    }
    applier?.close()
    this.#applier = undefined
    this.#pass = undefined
  }

  async #sync(): Promise<number> {
    const inputs = this.#inputs
    let written = 0
    if (inputs.length > 0) written = await this.#apply(inputs)
    else if (this.#applier !== undefined || !this.#swept) await this.sweep()
    this.#swept = true
    return written
  }

  async #apply(inputs: readonly FirewallInput[]): Promise<number> {
    const { runner, netns, mine, generation, syncs } = this.#shared
    this.#applier ??= new Applier(runner, this.#family, netns)
    try {
      const done = await this.#applier.apply(inputs, mine(), generation)
      this.#written += done.written
      syncs.add('written', done.written)
      this.#report(done)
      return done.written
    } catch (thrown) {
      // With nftables rules, iptables serves Docker only, which comes with it.
      if (thrown instanceof NotInstalled && inputs.every(({ nftables }) => nftables === true)) return 0
      throw thrown
    }
  }

  #report(done: Pass): void {
    const last = this.#pass
    this.#pass = done
    const { iptables, docker } = done
    if (last?.iptables.variant !== iptables.variant || last.docker.user !== docker.user) {
      const place = docker.user ? ", ahead of Docker's rules" : ''
      this.#shared.log.info(`firewall: IPv${this.#family}: ${iptables.save} (${iptables.variant})${place}`)
    } else if (done.written > 0) this.#shared.log.info(`firewall: IPv${this.#family}: rules restored`)
  }

  #succeeded(): void {
    if (this.#error !== undefined) this.#shared.log.info(`firewall: IPv${this.#family}: rules are right again`)
    this.#error = undefined
  }

  #failed(why: string): void {
    if (this.#error !== why) this.#shared.log.error(`${why}; trying again`)
    this.#error = why
    this.#shared.syncs.add('failed')
  }

  #concerns({ generation, tables }: RulesetChange): boolean {
    const noted = this.#pass?.noted
    if (noted === undefined || generation <= noted) return false
    return tables === undefined || this.#keys.some((key) => tables.has(key))
  }
}
