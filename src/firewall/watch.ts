// Notices that somebody changed nftables' ruleset (iptables-nft's tables are in it), without starting a process.
// Invariant: a change is reported at the latest one poll after it was made, even when its notification was lost.
//
// Every transaction raises the namespace's generation number by one (net/netfilter/nf_tables_api.c); its notifications
// end with NFT_MSG_NEWGEN, which carries the new number. Asking for the number (NFT_MSG_GETGEN) finds lost ones.
import { type PollHandle, READABLE, addon } from '../netlink/addon.ts'
import { Message } from '../netlink/attribute.ts'
import * as nl from '../netlink/constants.ts'
import { ERRNO, orThrow } from '../netlink/errno.ts'
import { MessageWriter } from '../netlink/message.ts'
import { NETLINK_NETFILTER, NFGENMSG, NFNL_SUBSYS_NFTABLES, NFPROTO, type TableFamily } from './nftables/nfnetlink.ts'

/** One transaction of anybody's, or (`tables` undefined) changes whose notifications were lost. */
export interface RulesetChange {
  /** Number of the ruleset after it. */
  readonly generation: number
  /** What it touched, as tableKey names it. */
  readonly tables: ReadonlySet<string> | undefined
}

/** A running watch. */
export interface RulesetWatch {
  /** The present generation. Every change up to it has been reported when this resolves. Undefined without nftables. */
  generation(): Promise<number | undefined>
  close(): void
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
const ANSWER_MS = 2000
const TURN_MS = 8

/**
 * Watches the ruleset of `netns` (a path; the process's own by default), asking for the generation every
 * `pollSeconds`. `changed` is called once per transaction. Throws KernelError when there is no such socket.
 */
export function watchRuleset(
  netns: string | undefined,
  pollSeconds: number,
  changed: (change: RulesetChange) => void,
): RulesetWatch {
  const sys = addon()
  const fd = orThrow('nftables: socket', sys.socket(nl.AF_NETLINK, nl.SOCK_RAW, NETLINK_NETFILTER, netns))
  sys.setsockopt(fd, nl.SOL_SOCKET, nl.SO_RCVBUFFORCE, RECEIVE_BUFFER)
  const port = orThrow('nftables: bind', sys.bindNetlink(fd, 0))
  sys.setsockopt(fd, nl.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)

  const input = new Uint8Array(256 * 1024)
  const message = new Message(input)
  const writer = new MessageWriter()
  const waiting = new Map<number, (generation: number | undefined) => void>()
  let touched = new Set<string>()
  let lastFamily = -1
  let lastTable = Buffer.alloc(0)
  let seen: number | undefined
  let sequence = 0
  let poll: PollHandle | undefined
  let closed = false

  function visit(): void {
    const answer = message.port === port ? waiting.get(message.sequence) : undefined
    if (answer !== undefined) {
      answer(message.type === nl.NLMSG_ERROR ? undefined : generationOf(message))
    } else if (message.type === NFT_MSG_NEWGEN) {
      seen = generationOf(message)
      const tables = touched
      touched = new Set()
      lastFamily = -1
      changed({ generation: seen, tables })
    } else if (message.type >> 8 === NFNL_SUBSYS_NFTABLES >> 8) {
      // A large set is told of in as many messages as it has elements, all of one table.
      if (message.u8(0) === lastFamily && message.shows(NFGENMSG, NFTA_TABLE, lastTable)) return
      const table = message.parse(NFGENMSG).text(NFTA_TABLE)
      lastFamily = message.u8(0)
      lastTable = Buffer.from(`${table}\0`)
      touched.add(`${lastFamily} ${table}`)
    }
  }

  /** The rest of a flood waits for the next turn of the event loop: the poll is level-triggered. */
  function receive(): void {
    for (const until = performance.now() + TURN_MS; !closed && performance.now() < until;) {
      const length = sys.recvNetlink(fd, input)
      // An overrun is made good by the next comparison of generations, which is due at once.
      if (length === -ERRNO.ENOBUFS || length > input.length) void compare()
      else if (length < 0) return
      else for (let at = message.read(0, length); at > 0; at = message.read(at, length)) visit()
    }
  }

  function ask(): Promise<number | undefined> {
    if (closed) return Promise.resolve(undefined)
    const number = ++sequence
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        answer(undefined)
      }, ANSWER_MS)
      const answer = (generation: number | undefined): void => {
        clearTimeout(timer)
        waiting.delete(number)
        resolve(generation)
      }
      waiting.set(number, answer)
      writer.clear()
      writer.message(
        (to) => {
          to.header(NFT_MSG_GETGEN, 0, NFGENMSG)
        },
        number,
        0,
      )
      if (sys.send(fd, writer.buffer, writer.length) < 0) answer(undefined)
    })
  }

  async function compare(): Promise<number | undefined> {
    const before = seen
    const generation = await ask()
    // The answer is queued behind the notifications of what it counts.
    if (generation !== undefined && before !== undefined && seen !== generation && !closed)
      changed({ generation, tables: undefined })
    seen = generation ?? seen
    return generation
  }

  const started = sys.pollStart(fd, READABLE, (status) => {
    if (status < 0 && poll !== undefined) sys.pollAgain(poll, READABLE)
    receive()
  })
  if (typeof started === 'number') orThrow('nftables: poll', started)
  else poll = started
  const timer = setInterval(() => void compare(), pollSeconds * 1000)
  void compare()

  return {
    generation: compare,
    close() {
      if (closed) return
      closed = true
      clearInterval(timer)
      if (poll !== undefined) sys.pollStop(poll)
      sys.close(fd)
      for (const resolve of waiting.values()) resolve(undefined)
    },
  }
}

/** NFTA_GEN_ID is big-endian. */
function generationOf(message: Message): number {
  const little = message.parse(NFGENMSG).number(NFTA_GEN_ID)
  return new DataView(Uint32Array.of(little).buffer).getUint32(0, false)
}
