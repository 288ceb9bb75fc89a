// Watches nftables' ruleset (iptables-nft's tables are in it) for changes by any process, without starting one.
// Invariant: a change is reported at most one poll after it was made, even when its notification was lost.
//
// Every transaction raises the namespace's generation number by one (net/netfilter/nf_tables_api.c); its notifications
// end with NFT_MSG_NEWGEN, which carries the new number. Asking for the number (NFT_MSG_GETGEN) finds lost ones.
import { type PollHandle, READABLE, addon } from '../netlink/addon.ts'
import { Message } from '../netlink/attribute.ts'
import * as nl from '../netlink/constants.ts'
import { ERRNO, orThrow } from '../netlink/errno.ts'
import { MessageWriter } from '../netlink/message.ts'
import { NETLINK_NETFILTER, NFGENMSG, NFNL_SUBSYS_NFTABLES, NFPROTO, type TableFamily } from './nftables/nfnetlink.ts'

/** One transaction of any process, or (`tables` undefined) changes whose notifications were lost. */
export interface RulesetChange {
  /** Generation number of the ruleset after it. */
  readonly generation: number
  /** The tables it touched, as tableKey names them. */
  readonly tables: ReadonlySet<string> | undefined
}

/** How a table is named in a RulesetChange. */
export function tableKey(family: TableFamily, name: string): string {
  return `${NFPROTO[family]} ${name}`
}

// linux/netfilter/nfnetlink.h, nf_tables.h
const NFNLGRP_NFTABLES = 7
const NFT_MSG_NEWGEN = NFNL_SUBSYS_NFTABLES | 15
const NFT_MSG_GETGEN = NFNL_SUBSYS_NFTABLES | 16
const NFTA_GEN_ID = 1
/** The table's name is attribute 1 of every kind of object: tables, chains, rules, sets, elements, objects. */
const NFTA_TABLE = 1
/** A flush of a large set is many messages. */
const RECEIVE_BUFFER = 4 * 1024 * 1024
/** How long an answer is waited for. */
const ANSWER_MS = 2000
/** A flood of notifications is read for this long per turn of the event loop. */
const TURN_MS = 8

/** A watch of the ruleset, until it is closed. */
export class RulesetWatch {
  readonly #sys = addon()
  readonly #fd: number
  /** The socket's netlink port. */
  readonly #port: number
  readonly #changed: (change: RulesetChange) => void
  readonly #input = new Uint8Array(256 * 1024)
  readonly #message = new Message(this.#input)
  readonly #writer = new MessageWriter()
  /** Questions without an answer yet, by sequence number. */
  readonly #waiting = new Map<number, (generation: number | undefined) => void>()
  readonly #poll: PollHandle | undefined
  readonly #timer: NodeJS.Timeout
  /** Tables of the transaction whose notifications are being read. */
  #touched = new Set<string>()
  #lastFamily = -1
  #lastTable = Buffer.alloc(0)
  /** The generation up to which changes are reported. */
  #seen: number | undefined
  #sequence = 0
  #closed = false

  /**
   * Watches the ruleset of `netns` (a path; the process's own by default), asking for the generation every
   * `pollSeconds`. `changed` is called once per transaction. Throws KernelError when there is no such socket.
   */
  constructor(netns: string | undefined, pollSeconds: number, changed: (change: RulesetChange) => void) {
    const sys = this.#sys
    this.#changed = changed
    this.#fd = orThrow('nftables: socket', sys.socket(nl.AF_NETLINK, nl.SOCK_RAW, NETLINK_NETFILTER, netns))
    sys.setsockopt(this.#fd, nl.SOL_SOCKET, nl.SO_RCVBUFFORCE, RECEIVE_BUFFER)
    this.#port = orThrow('nftables: bind', sys.bindNetlink(this.#fd, 0))
    sys.setsockopt(this.#fd, nl.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
    const started = sys.pollStart(this.#fd, READABLE, (status) => {
      if (status < 0 && this.#poll !== undefined) sys.pollAgain(this.#poll, READABLE)
      this.#receive()
    })
    if (typeof started === 'number') orThrow('nftables: poll', started)
    else this.#poll = started
    this.#timer = setInterval(() => void this.generation(), pollSeconds * 1000)
    void this.generation()
  }

  /** The present generation. Every change up to it has been reported when this resolves. Undefined without nftables. */
  async generation(): Promise<number | undefined> {
    const before = this.#seen
    const generation = await this.#ask()
    // The answer is queued behind the notifications of what it counts.
    if (generation !== undefined && before !== undefined && this.#seen !== generation && !this.#closed)
      this.#changed({ generation, tables: undefined })
    this.#seen = generation ?? this.#seen
    return generation
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    if (this.#poll !== undefined) this.#sys.pollStop(this.#poll)
    this.#sys.close(this.#fd)
    for (const resolve of this.#waiting.values()) resolve(undefined)
  }

  /** The rest of a flood waits for the next turn of the event loop: the poll is level-triggered. */
  #receive(): void {
    for (const until = performance.now() + TURN_MS; !this.#closed && performance.now() < until;) {
      const length = this.#sys.recvNetlink(this.#fd, this.#input)
      // What an overrun lost shows in a comparison of generations, made at once.
      if (length === -ERRNO.ENOBUFS || length > this.#input.length) void this.generation()
      else if (length < 0) return
      else for (let at = this.#message.read(0, length); at > 0; at = this.#message.read(at, length)) this.#visit()
    }
  }

  #visit(): void {
    const message = this.#message
    const answer = message.port === this.#port ? this.#waiting.get(message.sequence) : undefined
    if (answer !== undefined) {
      answer(message.type === nl.NLMSG_ERROR ? undefined : generationOf(message))
    } else if (message.type === NFT_MSG_NEWGEN) {
      this.#seen = generationOf(message)
      const tables = this.#touched
      this.#touched = new Set()
      this.#lastFamily = -1
      this.#changed({ generation: this.#seen, tables })
    } else if (message.type >> 8 === NFNL_SUBSYS_NFTABLES >> 8) {
      // A large set is reported in one message per element, all of one table.
      if (message.u8(0) === this.#lastFamily && message.shows(NFGENMSG, NFTA_TABLE, this.#lastTable)) return
      const table = message.parse(NFGENMSG).text(NFTA_TABLE)
      this.#lastFamily = message.u8(0)
      this.#lastTable = Buffer.from(`${table}\0`)
      this.#touched.add(`${this.#lastFamily} ${table}`)
    }
  }

  #ask(): Promise<number | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    const number = ++this.#sequence
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        answer(undefined)
      }, ANSWER_MS)
      const answer = (generation: number | undefined): void => {
        clearTimeout(timer)
        this.#waiting.delete(number)
        resolve(generation)
      }
      this.#waiting.set(number, answer)
      this.#writer.clear()
      this.#writer.message(
        (to) => {
          to.header(NFT_MSG_GETGEN, 0, NFGENMSG)
        },
        number,
        0,
      )
      if (this.#sys.send(this.#fd, this.#writer.buffer, this.#writer.length) < 0) answer(undefined)
    })
  }
}

/** NFTA_GEN_ID is big-endian. */
function generationOf(message: Message): number {
  const little = message.parse(NFGENMSG).number(NFTA_GEN_ID)
  return new DataView(Uint32Array.of(little).buffer).getUint32(0, false)
}
