// A digest of what one kind of object looks like in the kernel, made from the bytes of a dump: for audits, which nearly
// always find nothing. Invariant: what `observe` would read differently has another digest (up to chance, 1 in 2^32 for
// each changed object); the order of a dump does not matter, nor do ages and counters.
import type { Message } from '../netlink/attribute.ts'
import type { Connection } from '../netlink/connection.ts'
import { NUD_PERMANENT } from '../netlink/constants.ts'
import type { Encode } from '../netlink/message.ts'
import { askFdb, askNeighbors } from '../netlink/neighbor.ts'
import { askNexthops } from '../netlink/nexthop.ts'
import { askRoutes } from '../netlink/route.ts'
import type { Kind } from './state.ts'

/** How a kind is dumped: length of its own header, attributes that change by themselves, and which messages count. */
interface Shape {
  readonly asks: (indexes: readonly number[]) => readonly Encode[]
  readonly header: number
  /** Bit n: attribute type n is left out. */
  readonly volatile: number
  readonly counts: (message: Message) => boolean
}

/** NDA_CACHEINFO 3, NDA_PROBES 4 (linux/neighbour.h); ndm_state at offset 8. */
const permanent = (message: Message): boolean => (message.u16(8) & NUD_PERMANENT) !== 0
const always = (): boolean => true

const SHAPES: Readonly<Partial<Record<Kind, Shape>>> = {
  fdb: { asks: (indexes) => indexes.map(askFdb), header: 12, volatile: 0b11000, counts: permanent },
  neighbor: { asks: (indexes) => indexes.map(askNeighbors), header: 12, volatile: 0b11000, counts: permanent },
  nexthop: { asks: () => [askNexthops], header: 8, volatile: 0, counts: always },
  // RTA_CACHEINFO 12 (linux/rtnetlink.h)
  route: { asks: () => [askRoutes(4), askRoutes(6)], header: 12, volatile: 1 << 12, counts: always },
}

/** The digest of a kind on the devices with these indexes; undefined for kinds that are few. Throws KernelError. */
export async function fingerprint(
  connection: Connection,
  kind: Kind,
  indexes: readonly number[],
): Promise<string | undefined> {
  const shape = SHAPES[kind]
  if (shape === undefined) return undefined
  const parts: string[] = []
  for (const ask of shape.asks(indexes)) {
    let count = 0
    let sum = 0
    await connection.dump('audit kernel', ask, () => {
      count = 0
      sum = 0
      return (message) => {
        if (!shape.counts(message)) return
        count++
        sum = (sum + message.digest(shape.header, shape.volatile)) % Number.MAX_SAFE_INTEGER
      }
    })
    parts.push(`${count}:${sum}`)
  }
  return parts.join(' ')
}
