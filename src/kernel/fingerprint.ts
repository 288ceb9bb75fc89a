// A digest of what one kind of object looks like in the kernel, made from the bytes of a dump: for audits, which nearly
// always find nothing. What we wrote ourselves is taken off again, so that audits are as cheap amid our own changes.
// Invariants: what `observe` would read differently has another digest (up to chance, 1 in 2^32 for each changed object),
// unless the kernel did what we wrote and nothing else; the order of a dump does not matter, nor do ages and counters.
import { createHash } from 'node:crypto'
import type { Message } from '../netlink/attribute.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { NUD_NOARP, NUD_PERMANENT, RTNH_F_ONLINK, RT_TABLE_MAIN } from '../netlink/constants.ts'
import { type Encode, MessageWriter } from '../netlink/message.ts'
import { askFdb, askNeighbors } from '../netlink/neighbor.ts'
import { askNexthops } from '../netlink/nexthop.ts'
import { askRoutes } from '../netlink/route.ts'
import type { Parts } from '../netlink/weigh.ts'
import { isNothingThere } from './observe.ts'
import { FLANNEL_PROTOCOL, type Kind } from './state.ts'

/** How a kind is dumped, which messages count and what of them. */
interface Shape {
  readonly asks: (indexes: readonly number[]) => readonly Encode[]
  readonly counts: (message: Message) => boolean
  readonly parts: Parts
  /** Where its own header has the protocol number of who made it; undefined where it has none. */
  readonly protocol?: number
}

function bits(...types: readonly number[]): number {
  return types.reduce((mask, type) => mask | (1 << type), 0)
}

/** ndmsg: family, index; NDA_DST 1, NDA_LLADDR 2 (linux/neighbour.h). Ages, probes and the state's other bits move. */
const NEIGHBOR: Parts = { header: [0xff, 0xffffffff, 0], attributes: bits(1, 2) }
/** nhmsg: family and protocol, onlink; NHA_ID 1 to NHA_ENCAP 8 (linux/nexthop.h). */
const NEXTHOP: Parts = { header: [0x00ff00ff, RTNH_F_ONLINK], attributes: bits(1, 2, 3, 4, 5, 6, 7, 8) }
/**
 * rtmsg: family, length, TOS; table, protocol, type; onlink. RTA_DST 1, OIF 4, GATEWAY 5, PRIORITY 6, MULTIPATH 9, VIA 18,
 * ENCAP_TYPE 21, ENCAP 22, NH_ID 30 (linux/rtnetlink.h). Of a route by nexthop object the kernel also shows what that says.
 */
const ROUTE: Parts = {
  header: [0xffffffff, 0xff00ffff, RTNH_F_ONLINK],
  attributes: bits(1, 4, 5, 6, 9, 18, 21, 22, 30),
  unless: { type: 30, header: [0xffffffff, 0xff00ffff, 0], attributes: bits(1, 6, 30) },
}

/** ndm_state at offset 8; readNeighbor says when an entry counts as permanent. */
const permanent = (state: number) => (message: Message) => (message.u16(8) & state) !== 0
const always = (): boolean => true

const SHAPES: Readonly<Partial<Record<Kind, Shape>>> = {
  fdb: { asks: (indexes) => indexes.map(askFdb), counts: permanent(NUD_PERMANENT | NUD_NOARP), parts: NEIGHBOR },
  neighbor: { asks: (indexes) => indexes.map(askNeighbors), counts: permanent(NUD_PERMANENT), parts: NEIGHBOR },
  nexthop: { asks: () => [askNexthops], counts: always, parts: NEXTHOP, protocol: 2 },
  // Kernels without strict checking show other tables too.
  route: {
    asks: () => [askRoutes(4), askRoutes(6)],
    counts: (message) => message.u8(4) === RT_TABLE_MAIN,
    parts: ROUTE,
    protocol: 5,
  },
}

/** What has a weight is summed up to here, where sums of weights are still exact. */
const MODULUS = 2 ** 52

/** What we changed ourselves, kind by kind, by the weight of the messages. */
export class OwnWeight {
  readonly #sums = new Map<Kind, number>()
  readonly #scratch = new MessageWriter()

  /** What matters of the messages of a kind; undefined for kinds that have no digest. */
  partsOf(kind: Kind): Parts | undefined {
    return SHAPES[kind]?.parts
  }

  /** The weight of a message, as if sent. */
  of(encode: Encode, parts: Parts): number {
    this.#scratch.clear()
    this.#scratch.message(encode, 0, 0)
    return this.#scratch.weigh(parts)
  }

  /** The kernel took a change of this weight: what came less what went. */
  add(kind: Kind, weight: number): void {
    this.#sums.set(kind, (this.sum(kind) + weight) % MODULUS)
  }

  /** The effect of a change on a kind is unknown: no digest of before equals one of after. */
  lose(kind: Kind): void {
    this.add(kind, Math.floor(Math.random() * MODULUS))
  }

  sum(kind: Kind): number {
    return this.#sums.get(kind) ?? 0
  }
}

/** The weight of a message that shows an object of another program's, 0 for all others: how readHost notices changes. */
export function foreignWeight(kind: 'route' | 'nexthop', message: Message): number {
  const shape = SHAPES[kind]
  return shape === undefined ? 0 : foreign(shape, message)
}

function foreign({ counts, parts, protocol }: Shape, message: Message): number {
  if (protocol === undefined || message.u8(protocol) === FLANNEL_PROTOCOL) return 0
  return counts(message) ? message.weigh(parts) : 0
}

/** The digest of what was read, as texts, less our own changes: for kinds whose reading costs little. */
export function digestOf(texts: readonly string[], own: number): number {
  const total = texts.reduce((sum, text) => sum + createHash('sha256').update(text).digest().readUInt32LE(), 0)
  return lessOwn(total, own)
}

function lessOwn(total: number, own: number): number {
  return (((total - own) % MODULUS) + MODULUS) % MODULUS
}

/** What a dump came to. */
export interface Fingerprint {
  /** Of all that counts, less our own changes. */
  readonly digest: number
  /** Of what other programs made; 0 for kinds that do not say who made them. */
  readonly foreign: number
}

/**
 * The digest of a kind on the devices with these indexes, less our own changes; undefined for kinds that are few. Throws
 * KernelError.
 */
export async function fingerprint(
  connection: NetlinkConnection,
  kind: Kind,
  indexes: readonly number[],
  own: OwnWeight,
): Promise<Fingerprint | undefined> {
  const shape = SHAPES[kind]
  if (shape === undefined) return undefined
  let total = 0
  let others = 0
  for (const ask of shape.asks(indexes)) {
    let sum = 0
    let theirs = 0
    try {
      await connection.dump('audit kernel', ask, () => {
        sum = 0
        theirs = 0
        return (message) => {
          if (shape.counts(message)) sum += message.weigh(shape.parts)
          theirs += foreign(shape, message)
        }
      })
      total += sum
      others += theirs
    } catch (error) {
      if (!isNothingThere(error)) throw error
    }
  }
  // The reconciler never writes while it reads: no write is counted on one side alone.
  return { digest: lessOwn(total, own.sum(kind)), foreign: others }
}
