// Raw sockets: ICMP out and in. The prober has one per family for all peers, in the main thread, since raw-socket's addon knows no other.
// Invariant: no child process inherits it, and the kernel hands over nothing but what concerns us (filter.ts).
import { readdirSync } from 'node:fs'
import { OperatorError, messageOf } from '../errors.ts'
import { addon } from '../netlink/addon.ts'
import { type Address, type Family, parseAddress } from '../ip/address.ts'
import { echoFilter } from './filter.ts'

/** An open raw socket. */
export interface IcmpSocket {
  /** Sends an IP packet of the socket's family; `failed` gets the reason when our kernel refuses. */
  send(packet: Buffer, to: Address, failed: (why: string) => void): void
  close(): void
}

/** What an open socket reports. */
export interface IcmpEvents {
  /** A packet came in, in IPv4 with its IP header, in IPv6 without; its bytes are overwritten by the next one. */
  readonly message: (packet: Buffer, source: Address) => void
  /** The socket is of no use any more. */
  readonly broken: (why: string) => void
}

/** Numbers of protocols and socket options by family (in.h, in6.h, ip(7), ipv6(7), raw(7)). */
interface Numbers {
  readonly protocol: number
  /** As raw-socket counts families. */
  readonly addressFamily: number
  readonly level: number
  /** Our packets have their IP header, so that each has a source of its own. */
  readonly headerIncluded: number
  readonly mtuDiscover: number
}

const NUMBERS: Readonly<Record<Family, Numbers>> = {
  4: { protocol: 1, addressFamily: 1, level: 0, headerIncluded: 3, mtuDiscover: 10 },
  6: { protocol: 58, addressFamily: 2, level: 41, headerIncluded: 36, mtuDiscover: 23 },
}
/** IP_PMTUDISC_INTERFACE, IPV6_PMTUDISC_INTERFACE. */
const BY_INTERFACE = 4
/** Other socket options (socket.h, ioctls.h). */
const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_PROTOCOL = 38
const SOCK_RAW = 3
const FIOCLEX = 0x5451
/** As large as any packet; most of it is never touched. */
const BUFFER_BYTES = 65_536

/**
 * Opens one for a family and echo requests of `id`. Rejects with OperatorError when the addon cannot be loaded, CAP_NET_RAW is
 * missing, or the kernel has no such family.
 */
export async function openIcmpSocket(family: Family, id: number, events: IcmpEvents): Promise<IcmpSocket> {
  // Late: the daemon's start does not wait for it.
  const { createSocket } = await import('raw-socket')
  const { protocol, addressFamily, level, headerIncluded, mtuDiscover } = NUMBERS[family]
  const others = new Set(icmpSockets(protocol))
  const socket = permitted(() => createSocket({ protocol, addressFamily, bufferSize: BUFFER_BYTES }))
  let open = true
  const close = (): void => {
    if (open) socket.close()
    open = false
  }
  socket.on('message', (packet: Buffer, from: string) => {
    const source = parseAddress(from)
    if (source !== undefined) events.message(packet, source)
  })
  socket.on('error', (error: Error) => {
    // A failed read concerns one packet; the package closes the socket itself when waiting for packets fails.
    if (open && !/^-\d+$/.test(error.message)) return
    open = false
    events.broken(error.message)
  })
  try {
    const opened = icmpSockets(protocol).filter((fd) => !others.has(fd))
    keepFromChildren(opened, echoFilter(family, id))
    socket.setOption(level, headerIncluded, 1)
    // What our kernel has learned of a path holds for its own packets, not for containers' in the tunnel, and for ten
    // minutes: probes do not go by it.
    socket.setOption(level, mtuDiscover, BY_INTERFACE)
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
    if (messageOf(error) === 'Operation not permitted') {
      throw new OperatorError('raw socket: CAP_NET_RAW is missing', { cause: error })
    }
    if (messageOf(error) !== 'Address family not supported by protocol') throw error
    throw new OperatorError('raw socket: the kernel has no IPv6', { cause: error })
  }
}

/** The package names no file descriptor: a new socket is found by those there were before it. */
function icmpSockets(protocol: number): readonly number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => isIcmpSocket(fd, protocol))
}

/** The package opens its socket without SOCK_CLOEXEC. The filter is for this socket alone: others have other ids. */
function keepFromChildren(fds: readonly number[], filter: Uint8Array): void {
  if (fds.length === 0) throw new Error('/proc/self/fd: the raw socket is not there')
  for (const fd of fds) {
    if (addon().ioctl(fd, FIOCLEX, new Uint8Array(4)) < 0) throw new Error('close-on-exec: refused')
    if (addon().attachFilter(fd, filter) < 0) throw new Error('socket filter: refused')
  }
}

function isIcmpSocket(fd: number, protocol: number): boolean {
  const is = (option: number, wanted: number): boolean => {
    const value = new Uint8Array(4)
    return addon().getsockopt(fd, SOL_SOCKET, option, value) === 4 && value[0] === wanted
  }
  return is(SO_TYPE, SOCK_RAW) && is(SO_PROTOCOL, protocol)
}
