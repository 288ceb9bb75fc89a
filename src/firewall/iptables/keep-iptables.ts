// Keeps the host's iptables rules as they are wanted: those of each address family, one family after another.
// Invariant: changes are noticed by nftables' notifications and, for legacy tables, by comparing their sizes; neither starts a
// process.
import type { Family } from '../../ip/address.ts'
import { FAMILIES } from '../../ip/by-family.ts'
import { type Prefix, parsePrefix } from '../../ip/prefix.ts'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Runner } from '../run.ts'
import type { Syncs } from '../syncs.ts'
import { RulesetWatch } from '../watch.ts'
import type { Pass } from './applier.ts'
import { FamilyRules } from './family-rules.ts'
import type { FirewallInput } from './rules.ts'

/** What keepIptables needs. */
export interface IptablesOptions {
  readonly log: Log
  /** How often the tables are compared when no notification came, in seconds. */
  readonly resyncSeconds: number
  /** Networks we had before: their rules are ours to remove. */
  readonly previous: readonly Prefix[]
  /** Path of another network namespace to work in (tests), where `runner` must start its programs too. */
  readonly netns: string | undefined
  readonly runner: Runner
  readonly syncs: Syncs
}

/** Rules being kept. */
export interface KeptIptables {
  /** Wants the rules of these networks; a family or network not named has none of ours left. */
  want(inputs: readonly FirewallInput[]): void
  /** Resolves when the rules are as wanted, or a pass failed. Never rejects. */
  settled(): Promise<void>
  /** What the last pass found and did, by family. */
  passes(): ReadonlyMap<Family, Pass>
  /** Why rules are not as wanted, by family. */
  errors(): ReadonlyMap<Family, string>
  /** Transactions written since the daemon's start. */
  written(): number
  /** Ends the loops; rules stay as they are. */
  stop(): Promise<void>
  /** Ends the loops and removes our rules. Throws OperatorError. */
  cleanup(): Promise<void>
}

/** The kernel sends no notifications for legacy tables: their size is read this often. */
const LEGACY_POLL_MS = 1000
/** Without a network known to be ours, cleanup removes every flanneld's rules. */
const EVERYONES = ['0.0.0.0/0', '::/0']

/** Leaves the tables alone until want is called. */
export function keepIptables(options: IptablesOptions): KeptIptables {
  let mine = options.previous
  let watch: RulesetWatch | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const families = new Map(
    FAMILIES.map((family) => [
      family,
      new FamilyRules(family, {
        ...options,
        mine: () => mine,
        generation: async () => watch?.generation(),
        inTurn(pass) {
          const done = turn.then(pass)
          turn = done.catch(() => undefined)
          return done
        },
      }),
    ]),
  )
  let noticing: Noticing | undefined
  const all = [...families.values()]

  async function stop(): Promise<void> {
    noticing?.stop()
    await Promise.all(all.map((rules) => rules.stop()))
  }

  return {
    want(next) {
      noticing ??= startNoticing(options, all)
      watch = noticing.watch
      mine = [...new Set([...mine, ...next.flatMap((input) => [input.network, input.subnet])])]
      for (const [family, rules] of families) rules.want(next.filter((input) => input.family === family))
    },
    async settled() {
      await Promise.all(all.map((rules) => rules.settled()))
    },
    passes: () => definedBy(families, ({ pass }) => pass),
    errors: () => definedBy(families, ({ error }) => error),
    written: () => all.reduce((sum, rules) => sum + rules.written, 0),
    stop,
    async cleanup() {
      await stop()
      if (mine.length === 0) mine = EVERYONES.flatMap((text) => parsePrefix(text) ?? [])
      for (const rules of all) await rules.sweep()
    },
  }
}

/** What notices changes by others. */
interface Noticing {
  readonly watch: RulesetWatch | undefined
  stop(): void
}

function startNoticing({ log, netns, resyncSeconds }: IptablesOptions, all: readonly FamilyRules[]): Noticing {
  let watch: RulesetWatch | undefined
  try {
    watch = new RulesetWatch(netns, resyncSeconds, (change) => {
      for (const rules of all) rules.changed(change)
    })
  } catch (thrown) {
    log.warn(`firewall: ${messageOf(thrown)}: changes of nftables' ruleset are not noticed`)
  }
  const compare = (closely: boolean): void => {
    for (const rules of all) rules.compareLegacy(closely)
  }
  const timers = [setInterval(compare, LEGACY_POLL_MS, false), setInterval(compare, resyncSeconds * 1000, true)]
  return {
    watch,
    stop() {
      watch?.close()
      for (const timer of timers) clearInterval(timer)
    },
  }
}

function definedBy<T>(
  families: ReadonlyMap<Family, FamilyRules>,
  of: (rules: FamilyRules) => T | undefined,
): Map<Family, T> {
  const found = [...families].map(([family, rules]) => [family, of(rules)] as const)
  return new Map(found.flatMap(([family, value]) => (value === undefined ? [] : [[family, value] as const])))
}
