// Locks of a network namespace: who has one is alone with what it names, for as long as the process lives.
// A lock is a Unix socket with an abstract name: such names belong to the network namespace, as devices and routes do, so that
// daemons in containers of the host's network meet; the kernel frees them at any end. Any local user can take a name: one that
// is neither root nor the user we are does not hold us up.
import { type PollHandle, READABLE, addon } from './netlink/addon.ts'
import { SOL_SOCKET, SO_PEERCRED } from './netlink/constants.ts'
import { ERRNO, orThrow } from './netlink/errno.ts'

/** Who has a lock: its process, 0 where that is in a container we cannot see into. */
export interface Holder {
  readonly pid: number
  readonly uid: number
}

/** A lock of ours: its socket, and the poll that answers those who ask whose it is. */
interface Held {
  readonly fd: number
  readonly poll: PollHandle | undefined
}

/** The locks of this process. */
export class Locks {
  readonly #held = new Map<string, Held>()
  readonly #ignored: (name: string, holder: Holder | undefined) => void

  /** `ignored` hears of a lock that somebody has who may not have it; undefined: it cannot be told who. */
  constructor(ignored: (name: string, holder: Holder | undefined) => void = () => undefined) {
    this.#ignored = ignored
  }

  /** Takes a lock, unless it is ours already; who has it when another has. Throws KernelError. */
  take(name: string): Holder | undefined {
    if (this.#held.has(name)) return undefined
    const fd = addon().listenUnix(socketOf(name))
    if (fd !== -ERRNO.EADDRINUSE) {
      this.#held.set(name, answering(orThrow(`lock ${name}`, fd)))
      return undefined
    }
    const holder = holderOf(name)
    if (holder !== undefined && (holder.uid === 0 || holder.uid === process.geteuid?.())) return holder
    this.#ignored(name, holder)
    return undefined
  }

  /** Who else has a lock; undefined when nobody has, or we. */
  holder(name: string): Holder | undefined {
    if (this.#held.has(name)) return undefined
    const holder = this.take(name)
    this.#release(name)
    return holder
  }

  /** Gives up all locks but these. */
  keep(names: readonly string[]): void {
    for (const name of this.#held.keys()) if (!names.includes(name)) this.#release(name)
  }

  /** The names of ours. */
  get names(): readonly string[] {
    return [...this.#held.keys()]
  }

  #release(name: string): void {
    const held = this.#held.get(name)
    this.#held.delete(name)
    if (held === undefined) return
    if (held.poll !== undefined) addon().pollStop(held.poll)
    addon().close(held.fd)
  }
}

/** Connections that nobody takes would fill the queue, and then nobody could tell whose the lock is. */
function answering(fd: number): Held {
  const sys = addon()
  const poll = sys.pollStart(fd, READABLE, () => {
    for (let one = sys.acceptUnix(fd); one >= 0; one = sys.acceptUnix(fd)) sys.close(one)
  })
  return { fd, poll: typeof poll === 'number' ? undefined : poll }
}

function socketOf(name: string): string {
  return `@flanneld ${name}`
}

/** struct ucred of unix(7): pid, uid, gid. */
function holderOf(name: string): Holder | undefined {
  const fd = addon().connectUnix(socketOf(name))
  if (fd < 0) return undefined
  const bytes = new Uint8Array(12)
  const length = addon().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes)
  addon().close(fd)
  if (length !== bytes.length) return undefined
  const view = new DataView(bytes.buffer)
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) }
}
