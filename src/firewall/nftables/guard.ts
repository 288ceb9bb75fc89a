// The guard: a VXLAN socket accepts frames from any host that knows the VNI, so only peers' public addresses may send to its
// port; so it is with udp's port and IP in IP. Peers let in whatever has our address, so nothing that did not start here leaves
// with it to their ports.
// Invariant: a joining peer costs one element, not a new table. Without nft the daemon runs unguarded and logs that once.
import { equal } from '../../equal.ts'
import { type Address, parseAddress } from '../../ip/address.ts'
import { FAMILIES } from '../../ip/by-family.ts'
import type { Log } from '../../log.ts'
import { MOST_ELEMENTS } from './elements.ts'
import type { Prefix } from '../../ip/prefix.ts'
import { GUARD_PREFIX, UDP_GUARDS } from './arrival.ts'
import { isAnothersTable, networksIn } from './forward-tables.ts'
import { type Guarded, changePeers, plainGuard, replaceGuard, strangersSet, tableOf } from './guard-ruleset.ts'
import { listTable, listTables, removeTables } from './tables.ts'
import { type TableKind, isNamed } from './owned-table.ts'
import { OwnedTables, type TablesKind } from './owned-tables.ts'
import { type Runner, runProgram } from '../run.ts'
import { Senders } from './senders.ts'
import { type Syncs, countSyncs } from '../syncs.ts'

/** What createGuard needs. */
export interface GuardOptions {
  readonly log: Log
  /** How often lost notifications are looked for, in seconds. */
  readonly resyncSeconds: number
  /** Path of another network namespace to work in (tests); `prefix` are the words that start a program there. */
  readonly netns?: string
  readonly prefix?: readonly string[]
  /** Guards of devices that earlier runs left, by their tables' names: removed, unless wanted again. */
  readonly previous?: readonly string[]
  /** Networks we had before: guards of UDP ports that name one are removed as well. */
  readonly networks?: readonly Prefix[]
}

/** What is to be guarded, and the public addresses of all peers that may send to it. */
export interface GuardWish extends Guarded {
  /** A Senders, which no other wish may have, is followed as it changes, with a `want` after each change. */
  readonly peers: Iterable<Address>
}

/** The daemon's handle. A joining peer is let in by want and settled, before its routes are programmed. */
export interface Guard {
  /** Wants these guards and no others of ours. Throws TypeError when two have the same name. */
  want(wishes: readonly GuardWish[]): void
  /** Resolves when the guards are as wanted, or a pass failed. Never rejects. */
  settled(): Promise<void>
  /** Packets of unknown senders that all guards dropped since they were made; 0 without a guard; undefined when nft does not say. Never rejects. */
  dropped(): Promise<bigint | undefined>
  /** Whose packets were dropped recently, most first; no peers. Empty when nft does not say. */
  strangers(): Promise<readonly Stranger[]>
  /** Why there is no guard although one is wanted. */
  error(): string | undefined
  readonly syncs: Syncs
  /** Ends the loop; the guards stay. */
  stop(): void
  /** Ends the loop and removes the guards wanted last. */
  cleanup(): Promise<void>
}

/** How long status, page and metrics wait for the counter at most. */
const COUNT_MS = 2000

/** A sender that is no peer. */
export interface Stranger {
  readonly address: Address
  /** How many of its packets were dropped, since an hour without any. */
  readonly packets: number
}

const FAMILY = 'inet'

interface Wanted extends Guarded {
  readonly senders: Senders
}

/** `mine` are the networks that are ours or were. */
const kindFor = (mine: () => readonly Prefix[]): TableKind<Wanted> => ({
  what: 'guard',
  consequence: 'anybody can send into the network',
  family: FAMILY,
  names: (wanted) => [tableOf(wanted)],
  difference(actual, next) {
    const { senders } = next
    const known = actual !== undefined && sameRules(actual, next) && actual.senders === senders
    if (!known || senders.touched > MOST_ELEMENTS) {
      senders.forget()
      return replaceGuard(next, senders)
    }
    const { added, removed } = senders.take()
    return changePeers(added, removed)
  },
  // A VNI has one daemon of a host; a port may have been another's before.
  isAnothers: (listing, name) => isNamed(name, UDP_GUARDS) && isAnothersTable(listing, mine()),
  lesser: plainGuard,
})

/** The elements of the sets as nft lists them: "192.168.19.123 expires 59m counter packets 3 bytes 350". */
function parseStrangers(text: string): readonly Stranger[] {
  const found = Array.from(text.matchAll(/([\da-f.:]+) [^,{}]*?packets (\d+)/g), ([, address = '', packets]) => {
    const parsed = parseAddress(address)
    return parsed === undefined ? [] : [{ address: parsed, packets: Number(packets) }]
  })
  return found.flat()
}

function sameRules(a: Guarded, b: Guarded): boolean {
  const rules = ({ devices, allowed, leaving = [] }: Guarded): object => {
    return { devices, allowed, leaving }
  }
  return equal(rules(a), rules(b))
}

/** A guard that does nothing until want is called. */
export function createGuard(options: GuardOptions): Guard {
  return new NftGuard(options)
}

class NftGuard implements Guard {
  readonly syncs: Syncs = countSyncs()
  readonly #runner: Runner
  readonly #tables: OwnedTables<Wanted>
  /** By table, the senders of the wishes that have none of their own to follow. */
  readonly #senders = new Map<string, Senders>()
  /** Networks we have and had. */
  readonly #networks: Set<Prefix>
  /** What was guarded last. */
  #guarded: readonly Wanted[] = []
  /** One nft is started at a time, however many ask: it may hang. */
  #listing: Promise<readonly Stranger[]> | undefined
  #counting: Promise<bigint | undefined> | undefined

  constructor({ log, resyncSeconds, netns, prefix = [], previous = [], networks = [] }: GuardOptions) {
    this.#runner = { prefix }
    this.#networks = new Set(networks)
    const kind = kindFor(() => [...this.#networks])
    const kinds: TablesKind<Wanted> = { key: tableOf, kind: () => kind }
    this.#tables = new OwnedTables(kinds, {
      log,
      resyncSeconds,
      netns,
      runner: this.#runner,
      previous: [...previous, ...(networks.length > 0 ? [UDP_GUARDS] : [])],
      syncs: this.syncs,
    })
  }

  want(wishes: readonly GuardWish[]): void {
    const all = wishes.map((wish) => ({ ...wish, senders: this.#sendersOf(wish) }))
    for (const { devices } of all) for (const { network } of devices) this.#networks.add(network)
    this.#tables.want(all)
    if (all.length > 0) this.#guarded = all
  }

  settled(): Promise<void> {
    return this.#tables.settled()
  }

  dropped(): Promise<bigint | undefined> {
    return (this.#counting ??= this.#countAll().finally(() => (this.#counting = undefined)))
  }

  strangers(): Promise<readonly Stranger[]> {
    return (this.#listing ??= this.#listAll().finally(() => (this.#listing = undefined)))
  }

  error(): string | undefined {
    return this.#tables.errors.join('; ') || undefined
  }

  stop(): void {
    void this.#tables.stop()
  }

  async cleanup(): Promise<void> {
    await this.#tables.stop()
    await removeGuards(this.#runner, (table) => this.#guarded.some((one) => tableOf(one) === table))
  }

  #sendersOf(wish: GuardWish): Senders {
    const { peers } = wish
    if (peers instanceof Senders) return peers
    const table = tableOf(wish)
    const senders = this.#senders.get(table) ?? new Senders()
    this.#senders.set(table, senders)
    senders.become(peers)
    return senders
  }

  async #countAll(): Promise<bigint | undefined> {
    let sum = 0n
    for (const guarded of this.#guarded) {
      const packets = await countDropped(this.#runner, tableOf(guarded))
      if (packets === undefined) return undefined
      sum += packets
    }
    return sum
  }

  /** A sender that more than one guard dropped is listed once. */
  async #listAll(): Promise<readonly Stranger[]> {
    const packetsOf = new Map<Address, number>()
    for (const guarded of this.#guarded)
      for (const { address, packets } of await listStrangers(this.#runner, tableOf(guarded)))
        if (!guarded.senders.has(address)) packetsOf.set(address, (packetsOf.get(address) ?? 0) + packets)
    return Array.from(packetsOf, ([address, packets]) => ({ address, packets })).toSorted(
      (a, b) => b.packets - a.packets,
    )
  }
}

/** Packets of unknown senders that a guard dropped; undefined when nft does not say. Never rejects. */
async function countDropped(runner: Runner, table: string): Promise<bigint | undefined> {
  try {
    const args = ['list', 'counter', FAMILY, table, 'dropped']
    const { status, stdout } = await runProgram(runner, 'nft', args, '', COUNT_MS)
    const packets = status === 0 ? /packets (\d+)/.exec(stdout)?.[1] : undefined
    return packets === undefined ? undefined : BigInt(packets)
  } catch {
    // The firewall reports an nft that fails when it writes.
    return undefined
  }
}

/** Whose packets a guard dropped; empty when nft does not say. Never rejects. */
async function listStrangers(runner: Runner, table: string): Promise<readonly Stranger[]> {
  try {
    // nft 1.0 lists nothing when one call names two sets.
    let text = ''
    for (const family of FAMILIES) {
      const args = ['list', 'set', FAMILY, table, strangersSet(family)]
      text += (await runProgram(runner, 'nft', args, '', COUNT_MS)).stdout
    }
    return parseStrangers(text)
  } catch {
    return []
  }
}

/** Removes the guards that are `ours`, by their tables' names and the networks they name. Throws OperatorError. */
export async function removeGuards(
  runner: Runner,
  ours: (table: string, networks: readonly Prefix[]) => boolean,
): Promise<void> {
  const start = `${FAMILY} ${GUARD_PREFIX}`
  const found: string[] = []
  for (const table of (await listTables(runner)).filter((one) => one.startsWith(start))) {
    const networks = networksIn((await listTable(runner, table)) ?? '')
    if (ours(table.slice(`${FAMILY} `.length), networks)) found.push(table)
  }
  await removeTables(runner, found)
}
