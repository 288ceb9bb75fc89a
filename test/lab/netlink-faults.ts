// Faults of netlink, put in below the codec: the addon's send and recv, as they would come from the kernel.
// Invariant: what is refused was not done, what is lost was; after remove() everything is as it was.
import { addon } from '../../src/netlink/addon.ts'

/** struct nlmsghdr, and types below NLMSG_MIN_TYPE, which the kernel acknowledges without doing anything (netlink.h). */
const HEADER = 16
const NLMSG_NOOP = 1
const NLMSG_ERROR = 2
const NLM_F_ACK = 4

/** What goes wrong, at one call or message counted from 1. */
export type Fault =
  /** The kernel answers the n-th message with a negative `errno` and does not do it; the rest of its batch goes on. */
  | { readonly type: 'refused'; readonly message: number; readonly errno: number }
  /** The same for every second message of the n-th send. */
  | { readonly type: 'halved'; readonly call: number; readonly errno: number }
  /** send(2) fails. */
  | { readonly type: 'send'; readonly call: number; readonly errno: number }
  /** A datagram is lost, silently or with the error that says so (ENOBUFS). */
  | { readonly type: 'lost' | 'overrun'; readonly call: number; readonly errno: number }

/** Faults at work, and how many calls they saw. */
export interface Faults {
  readonly messages: () => number
  readonly sends: () => number
  readonly receipts: () => number
  /** Whether the fault has happened. */
  readonly struck: () => boolean
  remove(): void
}

/** Puts a fault in; none to count only. Replaces functions of the addon, so that tests with faults run one after another. */
export function inject(fault: Fault | undefined): Faults {
  const sys = addon()
  const { send, recvNetlink } = sys
  const seen = { messages: 0, sends: 0, receipts: 0 }
  const refused = new Set<number>()
  let struck = false

  sys.send = (fd, data, length) => {
    seen.sends++
    if (fault?.type === 'send' && seen.sends === fault.call) {
      struck = true
      return -fault.errno
    }
    const view = new DataView(data.buffer, data.byteOffset, length)
    let position = 0
    for (let at = 0; at + HEADER <= length; at += (view.getUint32(at, true) + 3) & ~3) {
      seen.messages++
      position++
      const one = fault?.type === 'refused' && fault.message === seen.messages
      const half = fault?.type === 'halved' && fault.call === seen.sends && position % 2 === 0
      if (!one && !half) continue
      struck = true
      refused.add(view.getUint32(at + 8, true))
      view.setUint16(at + 4, NLMSG_NOOP, true)
      view.setUint16(at + 6, view.getUint16(at + 6, true) | NLM_F_ACK, true)
    }
    return send(fd, data, length)
  }

  sys.recvNetlink = (fd, into) => {
    const length = recvNetlink(fd, into)
    if (length <= 0) return length
    seen.receipts++
    if ((fault?.type === 'lost' || fault?.type === 'overrun') && seen.receipts === fault.call) {
      struck = true
      return -fault.errno
    }
    const view = new DataView(into.buffer, into.byteOffset, length)
    for (let at = 0; at + HEADER <= length; at += (view.getUint32(at, true) + 3) & ~3) {
      const answers = view.getUint16(at + 4, true) === NLMSG_ERROR && refused.delete(view.getUint32(at + 8, true))
      if (answers && fault !== undefined) view.setInt32(at + HEADER, -fault.errno, true)
    }
    return length
  }

  return {
    messages: () => seen.messages,
    sends: () => seen.sends,
    receipts: () => seen.receipts,
    struck: () => struck,
    remove: () => Object.assign(sys, { send, recvNetlink }),
  }
}
