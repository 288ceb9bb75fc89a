// The door to the C addon (socket.c): its types.
// Invariant: loaded at most once per process.
import { loadNative } from './native.ts'

declare const handle: unique symbol

/** A running poll; to be given to pollStop once, then dropped. */
export type PollHandle = { readonly [handle]: 'PollHandle' }

/**
 * System calls. None blocks; every number returned is a result or, negative, an errno.
 * `netns` is the path of a network namespace (/var/run/netns/x): a socket belongs for life to the one it was made in.
 */
export interface Addon {
  /** socket(2), with SOCK_CLOEXEC and SOCK_NONBLOCK: a file descriptor. */
  socket(domain: number, type: number, protocol: number, netns?: string): number
  /** open(2), with O_CLOEXEC and O_NONBLOCK, mode 0600: a file descriptor. */
  open(path: string, flags: number, netns?: string): number
  /** bind(2) of a netlink socket to a port the kernel picks, which is returned; `groups` is the old 32-bit mask. */
  bindNetlink(fd: number, groups: number): number
  setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): number
  /** Attaches a classic BPF program, struct sock_filter one after the other (linux/filter.h, socket(7)). */
  attachFilter(fd: number, program: Uint8Array): number
  /** Length of the value put into `into`. */
  getsockopt(fd: number, level: number, name: number, into: Uint8Array): number
  /** The first `length` bytes in one message to the peer; for netlink the kernel. */
  send(fd: number, data: Uint8Array, length: number): number
  /** The first `length` bytes in one message to an address: a struct sockaddr of the socket's family. */
  sendTo(fd: number, data: Uint8Array, length: number, address: Uint8Array): number
  /** The next message of the kernel: its length, more than `into` holds when it was cut. */
  recvNetlink(fd: number, into: Uint8Array): number
  /** One datagram to a Unix socket; "@name" is an abstract one. */
  sendUnix(path: string, data: Uint8Array): number
  /** A listening stream socket, with "@name" an abstract one of this network namespace: a file descriptor. */
  listenUnix(path: string): number
  /** A stream socket connected to such a one; SO_PEERCRED shows who listens: a file descriptor. */
  connectUnix(path: string): number
  /** The next connection to a listening one, EAGAIN when there is none: a file descriptor. */
  acceptUnix(fd: number): number
  ioctl(fd: number, request: number, argument: Uint8Array): number
  read(fd: number, into: Uint8Array): number
  write(fd: number, data: Uint8Array): number
  /** Any poll of it must have been stopped. */
  close(fd: number): number
  /** Level triggered. `status` is 0 or a negative errno, after which the poll rests until pollAgain. */
  pollStart(fd: number, events: number, callback: (status: number, events: number) => void): PollHandle | number
  pollAgain(poll: PollHandle, events: number): number
  pollStop(poll: PollHandle): number
  /** Gives back the resident pages of the program's own file; what is needed comes back by itself. */
  releaseProgram(): number
  /** A file in memory with the forwarder's program (src/helpers/forwarder), to be started as /proc/self/fd/N: a file descriptor. */
  openForwarder(): number
}

/** An event of pollStart (uv.h). */
export const READABLE = 1

let loaded: Addon | undefined

/** The addon. Throws OperatorError when it cannot be loaded. */
export function addon(): Addon {
  loaded ??= loadNative('kernel_socket.node') as Addon
  return loaded
}
