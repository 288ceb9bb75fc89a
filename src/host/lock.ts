// Locks of a network namespace: who has one is alone with what it names, for as long as the process lives.
// A lock is a Unix socket with an abstract name: such names belong to the network namespace, as devices and routes do, so that
// daemons in containers of the host's network meet; the kernel frees them at any end. Any local user can take a name: one that
// is neither root nor the user we are does not hold us up.
import { listenerUid } from './lock-owner.ts'
import { type PollHandle, READABLE, addon } from '../netlink/addon.ts'
import { SOL_SOCKET, SO_PEERCRED } from '../netlink/constants.ts'
import { pause } from '../async/wait.ts'
import { ERRNO, orThrow } from '../netlink/errno.ts'

/** How often to check a lock that another process holds, while waiting for it. Milliseconds. */
const LOOK_MS = 50

/** Connections taken in one turn of the event loop: as many as wait at most. */
const MOST_ACCEPTED = 128

/** Who has a lock: its process, 0 where that is in a container we cannot see into. Undefined: unknown at the moment. */
export interface Holder {
  readonly pid: number | undefined
  readonly uid: number | undefined
}

/** A lock of ours: its socket, and the poll that answers those who ask whose it is. */
interface Held {
  readonly fd: number
  readonly poll: PollHandle | undefined
}

/** The locks of this process. */
export class Locks {
  readonly #held = new Map<string, Held>()
  /** Those that another had when we wanted them. */
  readonly #refused = new Set<string>()
  readonly #ignored: (name: string, holder: Holder | undefined) => void

  /** `ignored` is called for a lock whose holder has no right to it; undefined: the holder is unknown. */
  constructor(ignored: (name: string, holder: Holder | undefined) => void = () => undefined) {
    this.#ignored = ignored
  }

  /** Takes a lock, unless it is ours already; who has it when another has. Throws KernelError. */
  take(name: string): Holder | undefined {
    if (this.#held.has(name)) return undefined
    this.#refused.delete(name)
    const fd = addon().listenUnix(socketOf(name))
    if (fd !== -ERRNO.EADDRINUSE) {
      this.#held.set(name, answering(orThrow(`lock ${name}`, fd)))
      return undefined
    }
    const holder = holderOf(name)
    if (holder !== undefined && mayHold(holder)) {
      this.#refused.add(name)
      return holder
    }
    this.#ignored(name, holder)
    return undefined
  }

  /** Which other process holds a lock; undefined when none does, or we do. Asking takes nothing, so no other daemon is refused. */
  holder(name: string): Holder | undefined {
    const holder = this.#held.has(name) ? undefined : holderOf(name)
    return holder !== undefined && mayHold(holder) ? holder : undefined
  }

  /** Resolves as soon as one that `take` was refused is free, or when the signal aborts. */
  async freed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const name of this.#refused) {
        if (this.holder(name) !== undefined) continue
        this.#refused.delete(name)
        return
      }
      await pause(LOOK_MS, signal)
    }
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

/** Connections that are not accepted would fill the queue, and hide whose the lock is. */
function answering(fd: number): Held {
  const sys = addon()
  const poll = sys.pollStart(fd, READABLE, () => {
    // The poll is level-triggered: a client that keeps connecting gets only its share of each turn.
    for (let n = 0; n < MOST_ACCEPTED; n++) {
      const one = sys.acceptUnix(fd)
      if (one < 0) return
      sys.close(one)
    }
  })
  return { fd, poll: typeof poll === 'number' ? undefined : poll }
}

function socketOf(name: string): string {
  return `@flanneld ${name}`
}

/** Whether a holder may keep a lock from us. An unknown holder may be a daemon of ours. */
function mayHold({ uid }: Holder): boolean {
  return uid === undefined || uid === 0 || uid === process.geteuid?.()
}

/** struct ucred of unix(7): pid, uid, gid. */
function holderOf(name: string): Holder | undefined {
  const fd = addon().connectUnix(socketOf(name))
  // Its queue is full: a process holds it, and any user can flood a daemon of ours with connections to hide that.
  if (fd === -ERRNO.EAGAIN) return { pid: undefined, uid: listenerUid(socketOf(name)) }
  if (fd < 0) return undefined
  const bytes = new Uint8Array(12)
  const length = addon().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes)
  addon().close(fd)
  if (length !== bytes.length) return undefined
  const view = new DataView(bytes.buffer)
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) }
}
