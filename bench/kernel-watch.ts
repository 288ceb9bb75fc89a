// Listens to the kernel's notifications of links, addresses, neighbours, forwarding entries, nexthops and routes.
// Invariant: an overrun is an error, so that a count is a count.
import type { Message } from '../src/netlink/attribute.ts'
import * as nl from '../src/netlink/constants.ts'
import { RouteSocket } from '../src/netlink/socket.ts'
import { FLANNEL_PROTOCOL } from '../src/kernel/state.ts'

const ALL = [nl.RTNLGRP_LINK, nl.RTNLGRP_NEIGH, nl.RTNLGRP_IPV4_IFADDR, nl.RTNLGRP_IPV4_ROUTE, nl.RTNLGRP_NEXTHOP]
const BUFFER = 256 * 1024 * 1024

export class KernelWatch {
  /** Notifications so far, and when the last of them was read. */
  notifications = 0
  lastAt = 0
  /** New routes with our protocol number, and when the last was read. */
  routes = 0
  routeAt = 0
  readonly #socket: RouteSocket
  #failure: Error | undefined

  /** Watches the network namespace of a process; `only` these groups of notifications, as fewer cost less. */
  constructor(
    pid: number,
    { only = ALL, visit }: { only?: readonly number[]; visit?: (message: Message) => void } = {},
  ) {
    this.#socket = new RouteSocket(`/proc/${pid}/ns/net`, BUFFER)
    for (const group of only) this.#socket.join(group)
    const take = (message: Message): void => {
      this.notifications++
      // rtmsg: the protocol is its sixth byte
      if (message.type === nl.RTM_NEWROUTE && message.u8(5) === FLANNEL_PROTOCOL) this.routes++
      visit?.(message)
    }
    this.#socket.watch(() => {
      const before = this.routes
      for (;;) {
        const received = this.#socket.receive(take)
        if (received === 'empty') break
        if (received === 'overrun') this.#failure = new Error('kernel watch: notifications were lost')
      }
      this.lastAt = performance.now()
      if (this.routes > before) this.routeAt = this.lastAt
    })
  }

  /** Throws when notifications were lost. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  close(): void {
    this.#socket.close()
    this.check()
  }
}

/** Routes alone. */
export const ROUTES = [nl.RTNLGRP_IPV4_ROUTE]
