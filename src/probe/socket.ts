// Raw sockets: ICMP out and in. The prober has one for all peers, in the main thread, since raw-socket's addon knows no other.
// Invariant: no child process inherits it, and the kernel hands over nothing but what concerns us (filter.ts).
import { readdirSync } from 'node:fs'
import { OperatorError, messageOf } from '../errors.ts'
import { addon } from '../netlink/addon.ts'
import type { Address } from '../ip/address.ts'
import { echoFilter } from './filter.ts'

/** An open raw socket. */
export interface IcmpSocket {
  /** Sends an IPv4 packet; `failed` gets the reason when our kernel refuses. */
  send(packet: Buffer, to: Address, failed: (why: string) => void): void
  close(): void
}

/** What an open socket reports. */
export interface IcmpEvents {
  /** An IPv4 packet came in; its bytes are overwritten by the next one. */
  readonly message: (packet: Buffer) => void
  /** The socket is of no use any more. */
  readonly broken: (why: string) => void
}

/** Numbers of the protocol and of socket options (in.h, ip(7), raw(7), socket.h, ioctls.h). */
const ICMP = 1
const IPPROTO_IP = 0
const IP_HDRINCL = 3
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_INTERFACE = 4
const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_PROTOCOL = 38
const SOCK_RAW = 3
const FIOCLEX = 0x5451
/** As large as any packet; most of it is never touched. */
const BUFFER_BYTES = 65_536

/** Opens it for echo requests of `id`. Rejects with OperatorError when the addon cannot be loaded or CAP_NET_RAW is missing. */
export async function openIcmpSocket(id: number, events: IcmpEvents): Promise<IcmpSocket> {
  // Late: the daemon's start does not wait for it.
  const { createSocket } = await import('raw-socket')
  const others = new Set(icmpSockets())
  const socket = permitted(() => createSocket({ protocol: ICMP, bufferSize: BUFFER_BYTES }))
  let open = true
  const close = (): void => {
    if (open) socket.close()
    open = false
  }
  socket.on('message', events.message)
  socket.on('error', (error: Error) => {
    // A failed read concerns one packet; the package closes the socket itself when waiting for packets fails.
    if (open && !/^-\d+$/.test(error.message)) return
    open = false
    events.broken(error.message)
  })
  try {
    keepFromChildren(
      icmpSockets().filter((fd) => !others.has(fd)),
      id,
    )
    socket.setOption(IPPROTO_IP, IP_HDRINCL, 1)
    // What our kernel has learned of a path holds for its own packets, not for containers' in the tunnel, and for ten
    // minutes: probes neither go by it nor add to it.
    socket.setOption(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE)
  } catch (error) {
    close()
    throw error
  }
  return {
    close,
    send(packet, to, failed) {
      if (!open) {
        queueMicrotask(() => {
          failed('the raw socket is closed')
        })
        return
      }
      socket.send(packet, 0, packet.length, to, (error) => {
        if (error !== null) failed(error.message)
      })
    },
  }
}

/** raw-socket reports errors by their text alone (strerror(3)). */
function permitted<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (messageOf(error) !== 'Operation not permitted') throw error
    throw new OperatorError('raw socket: CAP_NET_RAW is missing', { cause: error })
  }
}

/** The package names no file descriptor: a new socket is found by those there were before it. */
function icmpSockets(): readonly number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(isIcmpSocket)
}

/** The package opens its socket without SOCK_CLOEXEC. The filter is for this socket alone: others have other ids. */
function keepFromChildren(fds: readonly number[], id: number): void {
  if (fds.length === 0) throw new Error('/proc/self/fd: the raw socket is not there')
  for (const fd of fds) {
    if (addon().ioctl(fd, FIOCLEX, new Uint8Array(4)) < 0) throw new Error('close-on-exec: refused')
    if (addon().attachFilter(fd, echoFilter(id)) < 0) throw new Error('socket filter: refused')
  }
}

function isIcmpSocket(fd: number): boolean {
  const is = (option: number, wanted: number): boolean => {
    const value = new Uint8Array(4)
    return addon().getsockopt(fd, SOL_SOCKET, option, value) === 4 && value[0] === wanted
  }
  return is(SO_TYPE, SOCK_RAW) && is(SO_PROTOCOL, ICMP)
}
