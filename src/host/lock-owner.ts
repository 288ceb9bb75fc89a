// Whose a listening Unix socket is, as the kernel reports it without a connection (sock_diag(7)): its queue may be full.
import { readFileSync } from 'node:fs'
import { addon } from '../netlink/addon.ts'
import {
  AF_NETLINK,
  AF_UNIX,
  NETLINK_SOCK_DIAG,
  NLM_F_REQUEST,
  SOCK_DIAG_BY_FAMILY,
  SOCK_RAW,
  UDIAG_SHOW_NAME,
  UDIAG_SHOW_UID,
  UNIX_DIAG_NAME,
  UNIX_DIAG_UID,
} from '../netlink/constants.ts'

/** nlmsghdr and struct unix_diag_req; nlmsghdr and struct unix_diag_msg. Bytes. */
const REQUEST = 40
const REPLY = 32

/** Lines of /proc/net/unix that are asked about: anybody can write some by a name with a line break in it. */
const MOST_ASKED = 64

/** Who made the socket that listens under a name (`@` for abstract): a uid, undefined when the kernel does not say. */
export function listenerUid(name: string): number | undefined {
  const sys = addon()
  const fd = sys.socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)
  if (fd < 0) return undefined
  const into = new Uint8Array(1024)
  let uid: number | undefined
  for (const inode of inodesFor(name).slice(0, MOST_ASKED)) {
    // The kernel has answered when send returns.
    const length = sys.send(fd, request(inode), REQUEST) < 0 ? -1 : sys.recvNetlink(fd, into)
    if (length > REPLY && length <= into.length) uid ??= uidIn(into.subarray(0, length), name)
  }
  sys.close(fd)
  return uid
}

function request(inode: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(REQUEST))
  view.setUint32(0, REQUEST, true)
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true)
  view.setUint16(6, NLM_F_REQUEST, true)
  view.setUint8(16, AF_UNIX)
  view.setUint32(20, 0xffffffff, true)
  view.setUint32(24, inode, true)
  view.setUint32(28, UDIAG_SHOW_NAME | UDIAG_SHOW_UID, true)
  // Any cookie.
  view.setUint32(32, 0xffffffff, true)
  view.setUint32(36, 0xffffffff, true)
  return new Uint8Array(view.buffer)
}

/** Undefined when the socket has another name: the list it was found by can be forged, this reply cannot. */
function uidIn(reply: Uint8Array, name: string): number | undefined {
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length)
  if (view.getUint16(4, true) !== SOCK_DIAG_BY_FAMILY) return undefined
  const attributes = new Map<number, number>()
  for (let at = REPLY; at + 4 <= reply.length; at += Math.max(4, (view.getUint16(at, true) + 3) & ~3))
    attributes.set(view.getUint16(at + 2, true), at)
  const [named, owned] = [attributes.get(UNIX_DIAG_NAME), attributes.get(UNIX_DIAG_UID)]
  if (named === undefined || owned === undefined) return undefined
  const bytes = Buffer.from(reply.subarray(named + 4, named + view.getUint16(named, true)))
  return bytes.equals(Buffer.from(name.replace(/^@/, '\0'))) ? view.getUint32(owned + 4, true) : undefined
}

/** From /proc/net/unix: number, references, protocol, flags (00010000: listens), type, state, inode, name. */
function inodesFor(name: string): readonly number[] {
  try {
    const lines = readFileSync('/proc/net/unix', 'latin1').split('\n')
    const ours = lines.filter((line) => line.endsWith(` ${name}`))
    return ours.flatMap((line) => / 00010000 \d{4} \d\d +(\d+) /.exec(line)?.[1] ?? []).map(Number)
  } catch {
    return []
  }
}
