// A netlink socket (netlink(7), rtnetlink(7)): opened, tuned, received from.
// Invariant: nothing blocks; `receive` copies nothing, its Message is valid until the next call.
import { type PollHandle, READABLE, addon } from './addon.ts'
import { Message } from './attribute.ts'
import * as nl from './constants.ts'
import { ERRNO, orThrow } from './errno.ts'

/** Dumps come in datagrams of at most 32 KiB (af_netlink.c), one message can be longer on devices with many functions. */
const RECEIVE_BYTES = 256 * 1024

/** What a call of receive found: messages, nothing yet, or that the kernel had to drop some. */
export type Received = 'messages' | 'empty' | 'overrun'

/** An open socket. */
export class RouteSocket {
  /** The port id messages we cause carry. */
  readonly port: number
  readonly #input = new Uint8Array(RECEIVE_BYTES)
  readonly #message = new Message(this.#input)
  readonly #fd: number
  #poll: PollHandle | undefined

  /** Opens a socket in `netns` (a path; ours by default) whose receive buffer holds `bufferBytes`. Throws KernelError. */
  constructor(netns: string | undefined, bufferBytes: number, protocol: number = nl.NETLINK_ROUTE) {
    const sys = addon()
    this.#fd = orThrow('netlink: socket', sys.socket(nl.AF_NETLINK, nl.SOCK_RAW, protocol, netns))
    // Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it as much as is allowed.
    if (sys.setsockopt(this.#fd, nl.SOL_SOCKET, nl.SO_RCVBUFFORCE, bufferBytes) < 0)
      sys.setsockopt(this.#fd, nl.SOL_SOCKET, nl.SO_RCVBUF, bufferBytes)
    // All three are refinements; old kernels lack them and we check and filter ourselves.
    for (const option of [nl.NETLINK_EXT_ACK, nl.NETLINK_CAP_ACK, nl.NETLINK_GET_STRICT_CHK])
      sys.setsockopt(this.#fd, nl.SOL_NETLINK, option, 1)
    this.port = orThrow('netlink: bind', sys.bindNetlink(this.#fd, 0))
  }

  /** Subscribes to a multicast group; false when this kernel has none of that number. */
  join(group: number): boolean {
    return addon().setsockopt(this.#fd, nl.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, group) >= 0
  }

  /** Sends messages in one call, inside which the kernel works them off. Throws KernelError. */
  send(bytes: Uint8Array, length: number): void {
    orThrow('netlink: send', addon().send(this.#fd, bytes, length))
  }

  /** Takes one datagram off the queue and shows its messages one by one. Throws KernelError. */
  receive(visit: (message: Message) => void): Received {
    const length = addon().recvNetlink(this.#fd, this.#input)
    if (length === -ERRNO.EAGAIN || length === -ERRNO.EINTR) return 'empty'
    if (length === -ERRNO.ENOBUFS || length > this.#input.length) return 'overrun'
    orThrow('netlink: recv', length)
    for (let next = this.#message.read(0, length); next > 0; next = this.#message.read(next, length))
      visit(this.#message)
    return 'messages'
  }

  /** Calls back whenever there is something to receive, an overrun included, until stopWatching. */
  watch(callback: () => void): void {
    const sys = addon()
    const poll = sys.pollStart(this.#fd, READABLE, (status) => {
      // An error on the socket (an overrun) ends the poll; receive() takes the error off, so start it again first.
      if (status < 0 && this.#poll !== undefined) sys.pollAgain(this.#poll, READABLE)
      callback()
    })
    if (typeof poll === 'number') orThrow('netlink: poll', poll)
    else this.#poll = poll
  }

  /** Ends watch. */
  stopWatching(): void {
    if (this.#poll !== undefined) addon().pollStop(this.#poll)
    this.#poll = undefined
  }

  /** Whether something can be received within `milliseconds`. */
  async readable(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const result = await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        resolve(false)
      }, milliseconds)
      this.watch(() => {
        resolve(true)
      })
    })
    clearTimeout(timer)
    this.stopWatching()
    return result
  }

  /** Closes it. */
  close(): void {
    this.stopWatching()
    addon().close(this.#fd)
  }
}
