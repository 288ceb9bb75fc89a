// The firewall as the daemon uses it: iptables rules, and tables of our own with EnableNFTables.
// Invariant: a network's rules for forwarding and masquerading are in one of the two, those Docker needs in iptables.
import type { Family } from '../ip/address.ts'
import { FAMILIES } from '../ip/by-family.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import type { Log } from '../log.ts'
import type { Pass } from './iptables/applier.ts'
import { keepIptables } from './iptables/keep-iptables.ts'
import { isAnothersTable, forwardTables, tableNames } from './nftables/forward-tables.ts'
import { listTable, listTables, removeTables } from './nftables/tables.ts'
import { OwnedTables } from './nftables/owned-tables.ts'
import type { FirewallInput } from './iptables/rules.ts'
import type { Runner } from './run.ts'
import { type Syncs, countSyncs } from './syncs.ts'

/** What createFirewall needs. */
export interface FirewallOptions {
  readonly log: Log
  /** -iptables-resync: how often the tables are compared when no notification came, in seconds. */
  readonly resyncSeconds: number
  /**
   * Networks we had before (the previous subnet.env): their rules are ours to remove. A cleanup that knows no network
   * removes every flanneld's.
   */
  readonly previous?: readonly Prefix[]
  /** Path of another network namespace to work in (tests); `prefix` are the words that start a program there. */
  readonly netns?: string
  readonly prefix?: readonly string[]
}

/** The state of the firewall. */
interface FirewallStatus {
  /** `idle`: nothing wanted yet, or stopped. */
  readonly state: 'idle' | 'right' | 'failing'
  /** Why it is failing. */
  readonly error: string | undefined
  /** By family: which iptables, and whether Docker's chains are there. */
  readonly passes: ReadonlyMap<Family, Pass>
  /** Programs started since the daemon's start. */
  readonly processes: number
  /** iptables transactions written since the daemon's start. */
  readonly written: number
}

/** The daemon's handle. */
export interface Firewall {
  /** Wants the rules of these networks; a family or network not named has none of ours left. */
  want(inputs: readonly FirewallInput[]): void
  /** Resolves when the rules are as wanted, or a pass failed (status says which). Never rejects. */
  settled(): Promise<void>
  status(): FirewallStatus
  readonly syncs: Syncs
  /** Ends the loops; rules stay as they are. */
  stop(): void
  /** Ends the loops and removes our rules and tables. Throws OperatorError. */
  cleanup(): Promise<void>
}

/** A firewall that does nothing until want is called. */
export function createFirewall(options: FirewallOptions): Firewall {
  const { log, resyncSeconds, netns, previous = [] } = options
  let processes = 0
  const runner: Runner = {
    prefix: options.prefix ?? [],
    started: () => {
      processes++
    },
  }
  const syncs = countSyncs()
  const iptables = keepIptables({ log, resyncSeconds, netns, runner, previous, syncs })
  const mine = new Set(previous)
  const tables = new Map(
    FAMILIES.map((family) => {
      const networks = previous.filter((prefix) => prefixFamily(prefix) === family)
      const names = [...new Set(networks.flatMap((network) => tableNames(family, network)))]
      return [
        family,
        new OwnedTables(
          forwardTables(family, () => [...mine]),
          { log, resyncSeconds, netns, runner, previous: names, syncs },
        ),
      ]
    }),
  )
  let wanted = false
  let stopped = false

  function stop(): Promise<unknown> {
    stopped = true
    return Promise.all([iptables.stop(), ...[...tables.values()].map((table) => table.stop())])
  }

  return {
    want(inputs) {
      wanted = inputs.length > 0
      for (const { network, subnet } of inputs) mine.add(network).add(subnet)
      const byTables = inputs.filter((input) => input.nftables === true)
      for (const [family, table] of tables) table.want(byTables.filter((input) => input.family === family))
      iptables.want(inputs)
    },
    async settled() {
      await Promise.all([iptables.settled(), ...[...tables.values()].map((table) => table.settled())])
    },
    status() {
      const errors = [...iptables.errors().values(), ...[...tables.values()].flatMap((table) => table.errors)]
      const error = errors.join('; ') || undefined
      const state = stopped || !wanted ? 'idle' : error === undefined ? 'right' : 'failing'
      return { state, error, passes: new Map(iptables.passes()), processes, written: iptables.written() }
    },
    syncs,
    stop: () => void stop(),
    async cleanup() {
      await stop()
      await iptables.cleanup()
      await removeOurTables(runner, [...mine])
    },
  }
}

/** Without a network known to be ours, every flanneld's. */
async function removeOurTables(runner: Runner, mine: readonly Prefix[]): Promise<void> {
  const named = (await listTables(runner)).filter((table) => /^ip6? flannel-ipv[46](-|$)/.test(table))
  const ours: string[] = []
  for (const table of named) {
    const listing = mine.length === 0 ? undefined : await listTable(runner, table)
    if (listing === undefined || !isAnothersTable(listing, mine)) ours.push(table)
  }
  await removeTables(runner, ours)
}
