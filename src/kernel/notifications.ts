// The socket on which the kernel reports changes (rtnetlink(7) multicast), and another one when it fails.
// Invariant: an error of the socket ends nothing: it is reported once, another socket is opened after a pause that grows, and what
// changed between the two is never passed over in silence (`missed`).
import { hasAborted } from '../async/wait.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { KernelError } from '../errors.ts'
import type { Message } from '../netlink/attribute.ts'
import * as nl from '../netlink/constants.ts'
import { RouteSocket } from '../netlink/socket.ts'

/** Who is notified. */
export interface Listener {
  /** One notification; valid until it returns. */
  take(message: Message): void
  /** Anything may have changed without a word. */
  missed(): void
  /** Called before `missed` when sockets were changed: what has to be read for `take` to understand. Throws KernelError. */
  prepare(): Promise<void>
  /** The socket failed, the first time in a while. */
  failed(error: KernelError): void
}

/** What is listened to: multicast groups of a protocol of netlink(7). */
export interface NotificationGroups {
  readonly protocol: number
  readonly groups: readonly number[]
}

const ROUTE_GROUPS: readonly number[] = [
  nl.RTNLGRP_LINK,
  nl.RTNLGRP_NEIGH,
  nl.RTNLGRP_IPV4_IFADDR,
  nl.RTNLGRP_IPV4_ROUTE,
  nl.RTNLGRP_IPV6_IFADDR,
  nl.RTNLGRP_IPV6_ROUTE,
  nl.RTNLGRP_NEXTHOP,
]

/** Others may flush 60,000 routes at once: at most this many notifications, then a turn of the event loop. */
const AT_ONCE = 2000

/** Before another socket is opened: at first, and at most. */
const PAUSE_MS = 100
const PAUSE_MAX_MS = 10_000
/** Failures less than this apart are one. */
const CALM_MS = 60_000

/** The network itself: links, addresses, neighbours, routes, nexthops. */
const NETWORK: NotificationGroups = { protocol: nl.NETLINK_ROUTE, groups: ROUTE_GROUPS }

/** Listens until the signal aborts. */
export class Notifications {
  readonly #netns: string | undefined
  readonly #bufferBytes: number
  readonly #listener: Listener
  readonly #signal: AbortSignal
  readonly #to: NotificationGroups
  /** None while one has failed. */
  #socket: RouteSocket | undefined
  #pauseMs = PAUSE_MS
  #failedAt = -Infinity

  /** Opens a socket whose receive buffer holds `bufferBytes`; what it receives waits until `listen`. Throws KernelError. */
  constructor(
    netns: string | undefined,
    bufferBytes: number,
    listener: Listener,
    signal: AbortSignal,
    to: NotificationGroups = NETWORK,
  ) {
    this.#netns = netns
    this.#bufferBytes = bufferBytes
    this.#listener = listener
    this.#signal = signal
    this.#to = to
    this.#socket = this.#open()
  }

  /** Starts to notify, first of what waits. */
  listen(): void {
    this.#signal.addEventListener('abort', () => {
      this.close()
    })
    this.#socket?.watch(() => {
      this.drain(AT_ONCE)
    })
    this.drain()
  }

  /** Takes the notifications that are there. */
  drain(atMost = Infinity): void {
    try {
      for (let i = 0; i < atMost && this.#socket !== undefined; i++) {
        const received = this.#socket.receive((message) => {
          this.#listener.take(message)
        })
        if (received === 'empty') return
        if (received === 'overrun') this.#listener.missed()
      }
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      this.#lost(error)
    }
  }

  /** Ends it. */
  close(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  #open(): RouteSocket {
    const socket = new RouteSocket(this.#netns, this.#bufferBytes, this.#to.protocol)
    for (const group of this.#to.groups) socket.join(group) // a kernel without nexthop objects has no group for them
    return socket
  }

  #lost(error: KernelError): void {
    this.close()
    const now = performance.now()
    if (now - this.#failedAt > CALM_MS) {
      this.#pauseMs = PAUSE_MS
      this.#listener.failed(error)
    }
    this.#failedAt = now
    void this.#reopen()
  }

  /** The socket may be lost again while what it missed is read. */
  #watch(): void {
    this.#socket?.watch(() => {
      this.drain(AT_ONCE)
    })
  }

  async #reopen(): Promise<void> {
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)
    await pause(pauseMs, undefined, { signal: this.#signal }).catch(() => undefined)
    if (this.#signal.aborted) return
    try {
      // Joined before anything is read: what changes while it is being read is reported afterwards.
      this.#socket = this.#open()
      await this.#listener.prepare()
      if (hasAborted(this.#signal)) return
      this.#watch()
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      this.#lost(error)
      return
    }
    this.#listener.missed()
    this.drain()
  }
}
