// The VXLAN guard: a VXLAN socket takes frames from anybody who knows the VNI, so only peers'
// public addresses are let to its port; and since peers let in what has our address, nothing leaves by it to their ports
// that did not start here.
// Invariant: a joining peer costs one element, not a new table; without nft the daemon goes on unguarded and says so once.
import { equal } from '../../equal.ts'
import { type Address, parseAddress } from '../../ip/address.ts'
import type { Log } from '../../log.ts'
import { MOST_ELEMENTS } from './elements.ts'
import {
  GUARD_PREFIX,
  type GuardedPort,
  changePeers,
  guardTable,
  plainGuard,
  replaceGuard,
  strangersSet,
} from './guard-ruleset.ts'
import { listTables, removeTables } from './tables.ts'
import { OwnedTable, type TableKind } from './owned-table.ts'
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
  /** VNIs of devices that earlier runs left: their guards go, unless wanted again. */
  readonly previous?: readonly number[]
}

/** What is to be guarded: the public addresses of all peers that may send to a VXLAN device of ours. */
export interface GuardWish extends GuardedPort {
  /** Senders are followed as they change, with a `want` after each change. */
  readonly peers: Iterable<Address>
}

/** The daemon's handle. A joining peer is let in by want and settled, before its routes are programmed. */
export interface Guard {
  /** Wants these guards, at most one per VNI, and no others of ours. */
  want(wishes: readonly GuardWish[]): void
  /** Resolves when what was wanted last has been made so, or failed once. Never rejects. */
  settled(): Promise<void>
  /** Packets of unknown senders dropped since the table was made; 0 without a guard; undefined when nft does not tell. Never rejects. */
  dropped(): Promise<bigint | undefined>
  /** Whose packets were dropped of late, most first; none that is a peer by now. Empty when nft does not tell. */
  strangers(): Promise<readonly Stranger[]>
  /** Why there is no guard although one is wanted. */
  error(): string | undefined
  readonly syncs: Syncs
  /** Ends the loop; the guard stays as it is. */
  stop(): void
  /** Ends the loop and removes the guard of the last wish. */
  cleanup(): Promise<void>
}

/** Status, page and metrics wait so long at most for the counter. Milliseconds. */
const COUNT_MS = 2000

/** A sender that is no peer. */
export interface Stranger {
  readonly address: Address
  /** How many packets of its were dropped, since an hour without any. */
  readonly packets: number
}

interface Wanted extends GuardedPort {
  readonly senders: Senders
}

const KIND: TableKind<Wanted> = {
  what: 'guard',
  consequence: 'anybody who knows the VNI can send into the network',
  family: 'inet',
  names: ({ vni }) => [guardTable(vni)],
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
  lesser: plainGuard,
}

/** The elements of the sets as nft lists them: "192.168.19.123 expires 59m counter packets 3 bytes 350". */
function parseStrangers(text: string): readonly Stranger[] {
  const found = Array.from(text.matchAll(/([\da-f.:]+) [^,{}]*?packets (\d+)/g), ([, address = '', packets]) => {
    const parsed = parseAddress(address)
    return parsed === undefined ? [] : [{ address: parsed, packets: Number(packets) }]
  })
  return found.flat().toSorted((a, b) => b.packets - a.packets)
}

function sameRules(a: GuardedPort, b: GuardedPort): boolean {
  const rules = ({ port, families, allowed, leaving = [] }: GuardedPort): object => {
    return { port, families, allowed, leaving }
  }
  return equal(rules(a), rules(b))
}

/** A guard that does nothing until want is called. */
export function createGuard(options: GuardOptions): Guard {
  const runner: Runner = { prefix: options.prefix ?? [] }
  const { log, resyncSeconds, netns } = options
  const previous = (options.previous ?? []).map(guardTable)
  const syncs = countSyncs()
  const table = new OwnedTable(KIND, { log, resyncSeconds, netns, runner, previous, syncs })
  const senders = new Senders()
  let followed = senders
  let vni: number | undefined
  /** However many ask, one nft is started at a time: it may hang. */
  let listing: Promise<readonly Stranger[]> | undefined
  let counting: Promise<bigint | undefined> | undefined

  async function count(of: number): Promise<bigint | undefined> {
    try {
      const args = ['list', 'counter', 'inet', guardTable(of), 'dropped']
      const { status, stdout } = await runProgram(runner, 'nft', args, '', COUNT_MS)
      const packets = status === 0 ? /packets (\d+)/.exec(stdout)?.[1] : undefined
      return packets === undefined ? undefined : BigInt(packets)
    } catch {
      // What nft says is of no use here: the firewall tells of an nft that fails when it writes.
      return undefined
    }
  }

  async function listStrangers(of: number): Promise<readonly Stranger[]> {
    try {
      // Two sets in one call nft 1.0 takes for none.
      let text = ''
      for (const family of [4, 6] as const) {
        const args = ['list', 'set', 'inet', guardTable(of), strangersSet(family)]
        text += (await runProgram(runner, 'nft', args, '', COUNT_MS)).stdout
      }
      return parseStrangers(text).filter(({ address }) => !followed.has(address))
    } catch {
      return []
    }
  }

  return {
    want([wish]) {
      vni = wish?.vni ?? vni
      if (wish !== undefined) followed = wish.peers instanceof Senders ? wish.peers : senders
      if (wish !== undefined && !(wish.peers instanceof Senders)) senders.become(wish.peers)
      table.want(wish && { ...wish, senders: wish.peers instanceof Senders ? wish.peers : senders })
    },
    settled: () => table.settled(),
    async dropped() {
      if (vni === undefined) return 0n
      return (counting ??= count(vni).finally(() => (counting = undefined)))
    },
    async strangers() {
      if (vni === undefined) return []
      return (listing ??= listStrangers(vni).finally(() => (listing = undefined)))
    },
    error: () => table.error,
    syncs,
    stop: () => void table.stop(),
    async cleanup() {
      await table.stop()
      await removeGuards(runner, (one) => one === vni)
    },
  }
}

/** Removes the guards of VNIs chosen by `ours`. Throws OperatorError. */
export async function removeGuards(runner: Runner, ours: (vni: number) => boolean): Promise<void> {
  const start = `${KIND.family} ${GUARD_PREFIX}`
  const tables = await listTables(runner)
  await removeTables(
    runner,
    tables.filter((table) => table.startsWith(start) && ours(Number(table.slice(start.length)))),
  )
}
