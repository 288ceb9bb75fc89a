// Faults of netlink, put in below the codec: the addon's send and recv, as they would come from the kernel.
// Invariant: what is refused was not done, what is lost was; after remove() everything is as it was.
import { addon } from '../../../src/netlink/addon.ts'

/** struct nlmsghdr, and types below NLMSG_MIN_TYPE, which the kernel acknowledges without doing anything (netlink.h). */
const HEADER = 16
const NLMSG_NOOP = 1
const NLMSG_ERROR = 2
const NLM_F_ACK = 4
const NLM_F_MULTI = 2
const NLM_F_DUMP_INTR = 16
const RTM_NEWLINK = 16
const RTM_NEWADDR = 20

/** What goes wrong, at one call or message counted from 1. */
export type Fault =
  /** The kernel answers the n-th message with a negative `errno` and does not do it; the rest of its batch proceeds. */
  | { readonly type: 'refused'; readonly message: number; readonly errno: number }
  /** The same for every second message of the n-th send. */
  | { readonly type: 'halved'; readonly call: number; readonly errno: number }
  /** send(2) fails. */
  | { readonly type: 'send'; readonly call: number; readonly errno: number }
  /** A datagram is lost, silently or with the error that says so (ENOBUFS). */
  | { readonly type: 'lost' | 'overrun'; readonly call: number; readonly errno: number }
  /**
   * Others change something during every dump (NLM_F_DUMP_INTR). Of those that show the device, or the addresses, of an
   * index, the second and the third pass over it, as kernels before 6.10 may do.
   */
  | { readonly type: 'interrupted'; readonly passesOver?: number }

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
  /** Dumps that had what is to be passed over, as "type sequence". */
  const shown = new Set<string>()

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
    if (fault?.type === 'interrupted') struck = interrupt(view, length, fault.passesOver, shown) || struck
    for (let at = 0; at + HEADER <= length; at += (view.getUint32(at, true) + 3) & ~3) {
      const answers = view.getUint16(at + 4, true) === NLMSG_ERROR && refused.delete(view.getUint32(at + 8, true))
      if (answers && fault !== undefined && 'errno' in fault) view.setInt32(at + HEADER, -fault.errno, true)
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

/** Marks what belongs to a dump; whether there was any. */
function interrupt(view: DataView, length: number, hidden: number | undefined, shown: Set<string>): boolean {
  let any = false
  for (let at = 0; at + HEADER <= length; at += (view.getUint32(at, true) + 3) & ~3) {
    const [type, flags, dump] = [
      view.getUint16(at + 4, true),
      view.getUint16(at + 6, true),
      view.getUint32(at + 8, true),
    ]
    if ((flags & NLM_F_MULTI) === 0) continue
    any = true
    view.setUint16(at + 6, flags | NLM_F_DUMP_INTR, true)
    // Both headers have the index at this place (ifinfomsg, ifaddrmsg).
    if ((type !== RTM_NEWLINK && type !== RTM_NEWADDR) || view.getInt32(at + HEADER + 4, true) !== hidden) continue
    shown.add(`${type} ${dump}`)
    const nth = [...shown].filter((one) => one.startsWith(`${type} `)).indexOf(`${type} ${dump}`)
    // Of another exchange: thrown away.
    if (nth === 1 || nth === 2) view.setUint32(at + 8, 0, true)
  }
  return any
}
