// Changing the elements of an nftables set by netlink itself (linux/netfilter/nfnetlink.h, nf_tables.h): one message in
// each direction instead of a process that first reads the set. Invariant: one transaction, which either applies or throws.
import type { Address } from '../../ip/address.ts'
import { addon } from '../../netlink/addon.ts'
import { Message } from '../../netlink/attribute.ts'
import * as nl from '../../netlink/constants.ts'
import { kernelError, orThrow } from '../../netlink/errno.ts'
import { type Encode, MessageWriter } from '../../netlink/message.ts'
import { NETLINK_NETFILTER, NFGENMSG, NFNL_SUBSYS_NFTABLES, NFPROTO, type TableFamily } from './nfnetlink.ts'

/** Addresses to add to a set, which must be absent from it, or to delete, which must be present. */
export interface ElementChange {
  readonly verb: 'add' | 'delete'
  readonly set: string
  readonly addresses: readonly Address[]
}

/** At most this many elements of one transaction fit into a socket's buffer (net.core.wmem_default, 208 KiB), IPv6 included. */
export const MOST_ELEMENTS = 5000
/** At most this many fit into one message, whose list of elements has a length of 16 bits. */
const PER_MESSAGE = 1000

const NFNL_MSG_BATCH_BEGIN = 16
const NFNL_MSG_BATCH_END = 17
const NFT_MSG_NEWSETELEM = NFNL_SUBSYS_NFTABLES | 12
const NFT_MSG_DELSETELEM = NFNL_SUBSYS_NFTABLES | 14
/** Of NFT_MSG_*SETELEM: the table's name, the set's name, the elements. */
const [TABLE, SET, ELEMENTS] = [1, 2, 3]
const NFTA_LIST_ELEM = 1
const NFTA_SET_ELEM_KEY = 1
const NFTA_DATA_VALUE = 1

/** Makes the changes to sets of one table in the namespace `netns` (a path; the process's own by default). Throws KernelError. */
export function changeElements(
  netns: string | undefined,
  table: { readonly family: TableFamily; readonly name: string },
  changes: readonly ElementChange[],
): void {
  const sys = addon()
  const fd = orThrow('nftables: socket', sys.socket(nl.AF_NETLINK, nl.SOCK_RAW, NETLINK_NETFILTER, netns))
  try {
    orThrow('nftables: bind', sys.bindNetlink(fd, 0))
    const writer = new MessageWriter()
    writer.message(batch(NFNL_MSG_BATCH_BEGIN), 0, 0)
    const messages = changes.flatMap(inMessages)
    for (const [i, change] of messages.entries()) writer.message(elements(table, change), i + 1, nl.NLM_F_ACK)
    writer.message(batch(NFNL_MSG_BATCH_END), messages.length + 1, 0)
    // The kernel works inside send(2): all answers are there when it returns.
    orThrow('nftables: send', sys.send(fd, writer.buffer, writer.length))
    const input = new Uint8Array(64 * 1024)
    const message = new Message(input)
    let answered = 0
    for (let length = sys.recvNetlink(fd, input); length > 0; length = sys.recvNetlink(fd, input)) {
      for (let at = message.read(0, length); at > 0; at = message.read(at, length)) {
        if (message.type !== nl.NLMSG_ERROR) continue
        const errno = -message.i32(0)
        if (errno !== 0) throw kernelError('nftables: elements', { errno, detail: '' })
        answered++
      }
    }
    if (answered < messages.length) throw new Error('nftables: elements: no answer')
  } finally {
    sys.close(fd)
  }
}

function inMessages({ verb, set, addresses }: ElementChange): readonly ElementChange[] {
  const messages: ElementChange[] = []
  for (let at = 0; at < addresses.length; at += PER_MESSAGE)
    messages.push({ verb, set, addresses: addresses.slice(at, at + PER_MESSAGE) })
  return messages
}

/** struct nfgenmsg has the subsystem in network order for the ends of a batch. */
function batch(type: number): Encode {
  return (message) => {
    message.header(type, 0, NFGENMSG)
    message.setU16(2, NFNL_SUBSYS_NFTABLES)
  }
}

function elements(
  { family, name }: { readonly family: TableFamily; readonly name: string },
  { verb, set, addresses }: ElementChange,
): Encode {
  return (message) => {
    message.header(
      verb === 'add' ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
      verb === 'add' ? nl.NLM_F_CREATE : 0,
      NFGENMSG,
    )
    message.setU8(0, NFPROTO[family])
    message.text(TABLE, name)
    message.text(SET, set)
    message.nest(ELEMENTS, () => {
      for (const address of addresses)
        message.nest(NFTA_LIST_ELEM, () => {
          message.nest(NFTA_SET_ELEM_KEY, () => {
            message.address(NFTA_DATA_VALUE, address)
          })
        })
    })
  }
}
