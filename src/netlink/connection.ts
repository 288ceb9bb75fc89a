// A conversation with the kernel over rtnetlink: requests, dumps, batches.
// Invariant: one exchange at a time, callers queue; every call ends, by an answer or by a deadline. The kernel works
// inside send(2), so the answer is waiting when send returns; what takes long is sent and read in portions with a turn of the
// event loop between.
import { setImmediate as turn } from 'node:timers/promises'
import type { Message } from './attribute.ts'
import * as nl from './constants.ts'
import { ERRNO, type Refusal, kernelError } from './errno.ts'
import { type Encode, HEADER, MessageWriter } from './message.ts'
import { type Received, RouteSocket } from './socket.ts'

/** A lost answer is given up after this long. */
const DEADLINE_MS = 5000
/** Answers of a portion (256 refusals at about 1 KiB each) fit many times. */
const RECEIVE_BUFFER = 8 * 1024 * 1024
/** The event loop is kept for about this long at a time. */
const TURN_MS = 8
const PORTION_MIN = 8
const PORTION_MAX = 512
/** A dump of which something was dropped is made again, at most this many times. */
const DUMP_ATTEMPTS = 10
/** One that others' changes interrupted, at most this many times: on a busy host every one is. */
const CALM_ATTEMPTS = 3

/** What tests make small. */
export interface ConnectionLimits {
  /** Socket receive buffer. */
  readonly bufferBytes?: number
  /** How long a lost answer is waited for. */
  readonly deadlineMs?: number
}

/** How an exchange ended: answered; or something was dropped, so we cannot know; or no answer came. */
type Ending = { readonly refusal: Refusal | undefined; readonly interrupted: boolean } | 'lost' | 'silent'

const LOST: Refusal = { errno: ERRNO.ENOBUFS, detail: 'answer lost' }
const SILENT: Refusal = { errno: ERRNO.ETIMEDOUT, detail: 'no answer' }

/** An open connection to the kernel of one network namespace. */
export class NetlinkConnection {
  /** Path of the namespace, undefined for the process's own. */
  readonly netns: string | undefined
  readonly #bufferBytes: number
  readonly #deadlineMs: number
  readonly #protocol: number
  #socket: RouteSocket
  readonly #writer = new MessageWriter()
  #queue: Promise<unknown> = Promise.resolve()
  #sequence = 0
  #portion = 128
  #closed = false

  /**
   * Opens it in `netns` (a path such as /var/run/netns/x; the process's own by default), for rtnetlink or another protocol
   * of netlink(7). Throws KernelError.
   */
  constructor(
    netns?: string,
    { bufferBytes = RECEIVE_BUFFER, deadlineMs = DEADLINE_MS }: ConnectionLimits = {},
    protocol: number = nl.NETLINK_ROUTE,
  ) {
    this.netns = netns
    this.#bufferBytes = bufferBytes
    this.#deadlineMs = deadlineMs
    this.#protocol = protocol
    this.#socket = new RouteSocket(netns, bufferBytes, protocol)
  }

  /** The port id that notifications of our own doings carry. */
  get port(): number {
    return this.#socket.port
  }

  /** Sends one message and waits for its ack; `visit` sees what is answered before it. Throws KernelError, headed `what`. */
  async request(what: string, encode: Encode, visit: (message: Message) => void = ignore): Promise<void> {
    const refusal = await this.#exclusively(async () => {
      const sequence = this.#begin()
      this.#writer.message(encode, sequence, nl.NLM_F_ACK)
      this.#socket.send(this.#writer.buffer, this.#writer.length)
      const ending = await this.#answers(sequence, sequence, visit, ignore)
      return refusalIn(ending)
    })
    if (refusal !== undefined) throw kernelError(what, refusal)
  }

  /**
   * Reads all objects a request names, message by message. A dump during which things changed is made again: `begin` is
   * called for each attempt, has to forget what came before, and gives the visitor. When the last attempt was interrupted
   * too (NLM_F_DUMP_INTR), it counts: what came, went or changed meanwhile is reported by notification. Kernels before 6.10
   * may then have passed over an object that was there all along. Throws KernelError, headed `what`.
   */
  async dump(what: string, encode: Encode, begin: () => (message: Message) => void): Promise<void> {
    const refusal = await this.#exclusively(async () => {
      for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        const sequence = this.#begin()
        this.#writer.message(encode, sequence, nl.NLM_F_DUMP)
        this.#socket.send(this.#writer.buffer, this.#writer.length)
        const ending = await this.#answers(sequence, sequence, begin(), ignore)
        const again = ending === 'lost' || (ending !== 'silent' && ending.interrupted && attempt + 1 < CALM_ATTEMPTS)
        if (!again) return refusalIn(ending)
      }
      return LOST
    })
    if (refusal !== undefined) throw kernelError(what, refusal)
  }

  /**
   * Sends many messages; the kernel continues past one it refuses. Resolves with the refused ones by their index.
   * `portionDone` is called after each portion. Throws KernelError only when the socket itself fails.
   */
  async batch(messages: readonly Encode[], portionDone: () => void = ignore): Promise<ReadonlyMap<number, Refusal>> {
    const refused = new Map<number, Refusal>()
    await this.#exclusively(async () => {
      for (let at = 0; at < messages.length;) {
        const start = performance.now()
        const count = Math.min(this.#portion, messages.length - at)
        await this.#sendPortion(messages, at, count, refused)
        portionDone()
        at += count
        // Some writes cost more the more objects there are (plain routes with a gateway), so size follows time.
        const fits = Math.floor((count * TURN_MS) / Math.max(performance.now() - start, 0.1))
        if (count === this.#portion) this.#portion = Math.min(PORTION_MAX, Math.max(PORTION_MIN, fits))
        if (at < messages.length) await turn()
      }
    })
    return refused
  }

  /** Closes the socket once the calls under way are answered; later ones are rejected. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = this.#queue.finally(() => {
      this.#socket.close()
    })
  }

  async #sendPortion(
    messages: readonly Encode[],
    from: number,
    count: number,
    refused: Map<number, Refusal>,
  ): Promise<void> {
    const first = this.#begin(count)
    for (let i = 0; i < count; i++) {
      const encode = messages[from + i]
      // Refusals are answered in any case, so an ack of the last one says that all have been processed.
      if (encode !== undefined) this.#writer.message(encode, (first + i) >>> 0, i === count - 1 ? nl.NLM_F_ACK : 0)
    }
    this.#socket.send(this.#writer.buffer, this.#writer.length)
    const ending = await this.#answers(first, (first + count - 1) >>> 0, ignore, (sequence, refusal) =>
      refused.set(from + ((sequence - first) >>> 0), refusal),
    )
    // Refusals may be among what was lost: say of each that we do not know.
    const lost = typeof ending === 'string' ? refusalIn(ending) : undefined
    for (let i = from; lost !== undefined && i < from + count; i++) if (!refused.has(i)) refused.set(i, lost)
  }

  /** Starts a fresh send buffer and takes `count` sequence numbers; the first of them. */
  #begin(count = 1): number {
    this.#writer.clear()
    // NETLINK_XFRM alone believes what a message says, and repeats it in notifications (xfrm_notify_policy in the kernel).
    if (this.#protocol === nl.NETLINK_XFRM) this.#writer.port = this.port
    const first = (this.#sequence + 1) >>> 0
    this.#sequence = (this.#sequence + count) >>> 0
    return first
  }

  /** Reads until message `last` is answered. Whatever is numbered outside first..last is left from an earlier exchange. */
  async #answers(
    first: number,
    last: number,
    visit: (message: Message) => void,
    refuse: (sequence: number, refusal: Refusal) => void,
  ): Promise<Ending> {
    let done: Ending | undefined
    let interrupted = false
    let lost = false
    let thrown: { readonly error: unknown } | undefined
    const take = (message: Message): void => {
      if ((message.sequence - first) >>> 0 > (last - first) >>> 0) return
      if ((message.flags & nl.NLM_F_DUMP_INTR) !== 0) interrupted = true
      if (message.type !== nl.NLMSG_ERROR && message.type !== nl.NLMSG_DONE) {
        try {
          if (thrown === undefined) visit(message)
        } catch (error) {
          thrown = { error } // the rest of a dump has to be read all the same
        }
        return
      }
      const refusal = refusalOf(message)
      if (refusal !== undefined) refuse(message.sequence, refusal)
      if (message.sequence === last) done = { refusal, interrupted }
    }
    for (let turnAt = performance.now() + TURN_MS; done === undefined;) {
      const received = this.#receive(take)
      if (received === 'overrun') lost = true
      // What was lost may have been the last answer: having read all there is, ask no longer.
      if (received === 'empty' && (lost || !(await this.#socket.readable(this.#deadlineMs)))) {
        this.#reopen()
        return lost ? 'lost' : 'silent'
      }
      if (performance.now() > turnAt) {
        await turn()
        turnAt = performance.now() + TURN_MS
      }
    }
    if (thrown !== undefined) throw thrown.error
    return lost ? 'lost' : done
  }

  #receive(take: (message: Message) => void): Received {
    try {
      return this.#socket.receive(take)
    } catch (error) {
      this.#reopen()
      throw error
    }
  }

  /** A new socket after an answer that never came: a dump left half read would refuse the next one (EBUSY). */
  #reopen(): void {
    const next = new RouteSocket(this.netns, this.#bufferBytes, this.#protocol)
    this.#socket.close()
    this.#socket = next
  }

  #exclusively<T>(exchange: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(kernelError('netlink', { errno: ERRNO.EBADF, detail: 'closed' }))
    const result = this.#queue.then(exchange)
    this.#queue = result.catch(ignore)
    return result
  }
}

function refusalIn(ending: Ending): Refusal | undefined {
  return ending === 'lost' ? LOST : ending === 'silent' ? SILENT : ending.refusal
}

function ignore(): void {
  // nothing to see, nothing to count
}

/** NLMSG_ERROR and NLMSG_DONE: i32 of 0 or a negative errno; extended ack after the echoed header (netlink.h). */
function refusalOf(message: Message): Refusal | undefined {
  const errno = -message.i32(0)
  if (errno <= 0) return undefined
  if ((message.flags & nl.NLM_F_ACK_TLVS) === 0) return { errno, detail: '' }
  const echoed = (message.flags & nl.NLM_F_CAPPED) !== 0 ? HEADER : (message.u32(4) + 3) & ~3
  const fixed = message.type === nl.NLMSG_DONE ? 4 : 4 + echoed
  return { errno, detail: message.parse(fixed).text(nl.NLMSGERR_ATTR_MSG) }
}
