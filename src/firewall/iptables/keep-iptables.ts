// Keeps the host's iptables rules as they are wanted.
// Invariants: level-triggered, one pass at a time, whatever happens meanwhile makes one more; a pass runs only when
// something else is wanted, somebody changed the tables, or the last one failed: the steady state starts no process.
import type { Family } from '../../ip/address.ts'
import { type Prefix, parsePrefix } from '../../ip/prefix.ts'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Syncs } from '../syncs.ts'
import { type Applier, type Pass, createApplier } from './applier.ts'
import { type FirewallInput, TABLES } from './rules.ts'
import { NotInstalled, type Runner } from '../run.ts'
import { type RulesetChange, type RulesetWatch, tableKey, watchRuleset } from '../watch.ts'

/** What keepIptables needs. */
export interface IptablesOptions {
  readonly log: Log
  /** How often the tables are compared when no notification came, in seconds. */
  readonly resyncSeconds: number
  /** Networks we had before: their rules are ours to drop. */
  readonly previous: readonly Prefix[]
  /** Path of another network namespace to work in (tests), where `runner` must start its programs too. */
  readonly netns: string | undefined
  readonly runner: Runner
  readonly syncs: Syncs
}

/** Rules being kept. */
export interface KeptIptables {
  /** Wants these rules, at most one input per family; a family not named has none of ours left. */
  want(inputs: readonly FirewallInput[]): void
  /** Resolves when what was wanted last has been made so, or failed once. Never rejects. */
  settled(): Promise<void>
  /** What was found and done last, by family. */
  passes(): ReadonlyMap<Family, Pass>
  /** Why rules are not as wanted, by family. */
  errors(): ReadonlyMap<Family, string>
  /** Transactions written since the beginning. */
  written(): number
  /** Ends the loop; rules stay as they are. */
  stop(): Promise<void>
  /** Ends the loop and removes what is ours. Throws OperatorError. */
  cleanup(): Promise<void>
}

/** Changes come in bursts. */
const DEBOUNCE_MS = 100
/** Somebody who keeps undoing what we write is answered ever more slowly, down to this, while it goes on. */
const CONTENTION = { debounceMs: 1000, endsAfterMs: 5000 }
/** Legacy tables tell nobody of changes: their size is asked for this often. */
const LEGACY_POLL_MS = 1000
const BACKOFF_MS = { first: 1000, most: 15_000 }
const FAMILIES = [4, 6] as const
/** Without a network known to be ours, cleanup takes every flanneld's rules. */
const EVERYONES = ['0.0.0.0/0', '::/0']
const TABLE_KEYS = {
  4: TABLES.map((table) => tableKey('ip', table)),
  6: TABLES.map((table) => tableKey('ip6', table)),
}

/** Leaves the tables alone until want is called. */
export function keepIptables(options: IptablesOptions): KeptIptables {
  const { log, netns, runner } = options
  let written = 0
  const appliers = new Map<Family, Applier>()
  const passes = new Map<Family, Pass>()
  let inputs: readonly FirewallInput[] = []
  let mine = options.previous
  const errors = new Map<Family, string>()
  /** Families to be looked at. */
  const dirty = new Set<Family>()
  let running: Promise<void> | undefined
  let stopped = false
  let watch: RulesetWatch | undefined
  let lastWrite = -Infinity
  let debounce = DEBOUNCE_MS
  /** Families that `pending` will kick. */
  const due = new Set<Family>()
  let pending: NodeJS.Timeout | undefined
  const retries = new Map<Family, NodeJS.Timeout>()
  let backoff = BACKOFF_MS.first
  const timers: NodeJS.Timeout[] = []
  /** Families that were looked at once, so that no rules of an earlier run can be left. */
  const swept = new Set<Family>()

  function kick(families: Iterable<Family>): void {
    if (stopped) return
    for (const family of families) dirty.add(family)
    if (dirty.size > 0)
      running ??= loop().finally(() => {
        running = undefined
        kick([])
      })
  }

  function kickSoon(families: Iterable<Family>): void {
    if (stopped) return
    for (const family of families) due.add(family)
    pending ??= setTimeout(() => {
      pending = undefined
      kick(due)
      due.clear()
    }, debounce)
  }

  async function loop(): Promise<void> {
    while (dirty.size > 0 && !stopped) {
      for (const family of FAMILIES.filter((one) => dirty.delete(one))) {
        try {
          await pass(family)
          succeeded(family)
        } catch (thrown) {
          // With nftables rules, iptables is only for Docker, which would have brought it along.
          if (thrown instanceof NotInstalled && inputs.some((input) => input.family === family && input.nftables))
            continue
          failed(family, messageOf(thrown))
        }
      }
    }
  }

  async function pass(family: Family): Promise<void> {
    const input = inputs.find((one) => one.family === family)
    const applier = appliers.get(family)
    if (input !== undefined) {
      const present = applier ?? createApplier(runner, family, netns)
      appliers.set(family, present)
      const done = await present.apply(input, mine, async () => watch?.generation())
      written += done.written
      options.syncs.add('written', done.written)
      if (done.written > 0) wrote()
      report(family, done)
    } else if (applier !== undefined || !swept.has(family)) {
      await sweep(family)
    }
    swept.add(family)
  }

  /** Takes out what is ours. */
  async function sweep(family: Family): Promise<void> {
    const applier = appliers.get(family)
    try {
      await (applier ?? createApplier(runner, family, netns)).remove(mine)
    } catch (thrown) {
      // A family without rules of ours may well be one this host cannot do.
      const mayBeMissing = applier === undefined && (family === 6 || thrown instanceof NotInstalled)
      if (!mayBeMissing) throw thrown
    }
    applier?.close()
    appliers.delete(family)
    passes.delete(family)
  }

  function wrote(): void {
    const now = performance.now()
    const contended = now - lastWrite < CONTENTION.endsAfterMs
    debounce = contended ? Math.min(debounce * 1.5, CONTENTION.debounceMs) : DEBOUNCE_MS
    lastWrite = now
  }

  function report(family: Family, done: Pass): void {
    const last = passes.get(family)
    passes.set(family, done)
    const { iptables, docker } = done
    if (last?.iptables.variant !== iptables.variant || last.docker.user !== docker.user)
      log.info(
        `firewall: IPv${family}: ${iptables.save} (${iptables.variant})${docker.user ? ", ahead of Docker's rules" : ''}`,
      )
    else if (done.written > 0) log.info(`firewall: IPv${family}: rules restored`)
  }

  function succeeded(family: Family): void {
    if (errors.delete(family)) log.info(`firewall: IPv${family}: rules are right again`)
    if (errors.size === 0) backoff = BACKOFF_MS.first
  }

  function failed(family: Family, why: string): void {
    if (errors.get(family) !== why) log.error(`${why}; trying again`)
    errors.set(family, why)
    options.syncs.add('failed')
    clearTimeout(retries.get(family))
    retries.set(family, setTimeout(kick, backoff, [family]))
    backoff = Math.min(backoff * 2, BACKOFF_MS.most)
  }

  function changed(change: RulesetChange): void {
    // Whether a change during a pass is the pass's own is known when it has ended.
    if (running !== undefined)
      void running.then(() => {
        changed(change)
      })
    else {
      const outdated = FAMILIES.filter((family) => concerns(change, family))
      if (outdated.length > 0) kickSoon(outdated)
    }
  }

  /** A failing family is tried again in its own time: its writes are no reason to hurry. */
  function concerns({ generation, tables }: RulesetChange, family: Family): boolean {
    const noted = passes.get(family)?.noted
    if (noted === undefined || generation <= noted || errors.has(family)) return false
    return tables === undefined || TABLE_KEYS[family].some((key) => tables.has(key))
  }

  function compareLegacy(closely: boolean): void {
    if (running !== undefined) return
    const present = [...appliers].filter(([family]) => !errors.has(family))
    kick(present.flatMap(([family, applier]) => (applier.unchanged(closely) ? [] : [family])))
  }

  function start(): void {
    if (watch !== undefined || timers.length > 0 || stopped) return
    try {
      watch = watchRuleset(netns, options.resyncSeconds, changed)
    } catch (thrown) {
      log.warn(`firewall: ${messageOf(thrown)}: changes of nftables' ruleset are not noticed`)
    }
    timers.push(
      setInterval(() => {
        compareLegacy(false)
      }, LEGACY_POLL_MS),
    )
    timers.push(
      setInterval(() => {
        compareLegacy(true)
      }, options.resyncSeconds * 1000),
    )
  }

  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(pending)
    retries.forEach((timer) => {
      clearTimeout(timer)
    })
    timers.forEach((timer) => {
      clearInterval(timer)
    })
    watch?.close()
    // A pass under way still uses its applier.
    await running
    appliers.forEach((applier) => {
      applier.close()
    })
  }

  return {
    want(next) {
      start()
      inputs = next
      mine = [...new Set([...mine, ...next.flatMap((input) => [input.network, input.subnet])])]
      kick(FAMILIES)
    },
    settled: () => running ?? Promise.resolve(),
    passes: () => passes,
    errors: () => errors,
    written: () => written,
    stop,
    async cleanup() {
      await stop()
      if (mine.length === 0) mine = EVERYONES.flatMap((text) => parsePrefix(text) ?? [])
      for (const family of FAMILIES) await sweep(family)
    },
  }
}
