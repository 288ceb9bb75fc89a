// IPsec policies as the kernel has them: read and watched over a netlink socket of their own (NETLINK_XFRM).
// Invariant: a kernel without IPsec has no policies, which is no failure; one that cannot have them refuses to be given one.
import { KernelError } from '../errors.ts'
import { NetlinkConnection, type ConnectionLimits } from '../netlink/connection.ts'
import * as nl from '../netlink/constants.ts'
import { ERRNO } from '../netlink/errno.ts'
import type { Message } from '../netlink/attribute.ts'
import { askPolicies, readPolicy } from '../netlink/xfrm.ts'
import type { Listener, NotificationGroups } from './notifications.ts'
import { policyOf } from './objects.ts'
import { type KernelState, type Policy, keyOf } from './state.ts'

/** The groups that report changes of policies. */
export const POLICY_GROUPS: NotificationGroups = { protocol: nl.NETLINK_XFRM, groups: [nl.XFRMNLGRP_POLICY] }

/** Whether a kernel said that it has no such sockets. */
export function hasNoXfrm(error: unknown): boolean {
  return error instanceof KernelError && error.errno === ERRNO.EPROTONOSUPPORT
}

/** The connection for policies, opened when it is first needed. */
export class XfrmConnection {
  readonly #netns: string | undefined
  readonly #limits: ConnectionLimits | undefined
  #connection: NetlinkConnection | undefined

  constructor(netns: string | undefined, limits: ConnectionLimits | undefined) {
    this.#netns = netns
    this.#limits = limits
  }

  /** Throws KernelError; EPROTONOSUPPORT where this kernel has no IPsec. */
  open(): NetlinkConnection {
    return (this.#connection ??= new NetlinkConnection(this.#netns, this.#limits, nl.NETLINK_XFRM))
  }

  /** The port id that notifications of our own doings carry; undefined while there have been none. */
  get port(): number | undefined {
    return this.#connection?.port
  }

  /** All policies between addresses. Throws KernelError. */
  async observe(): Promise<KernelState> {
    const state = new Map<string, Policy>()
    try {
      await this.open().dump('read policies', askPolicies, () => {
        state.clear()
        return (message) => {
          const record = readPolicy(message)
          const policy = record && policyOf(record)
          if (policy !== undefined && !state.has(keyOf(policy))) state.set(keyOf(policy), policy)
        }
      })
    } catch (error) {
      if (!hasNoXfrm(error)) throw error
    }
    return state
  }

  close(): void {
    this.#connection?.close()
  }
}

/** Whom a listener reports to. */
interface PolicyReports {
  /** The port id that notifications of our own doings carry. */
  readonly ownPort: () => number | undefined
  /** A policy of others, or undefined when all may be gone, and what happened to it. */
  readonly changed: (policy: Policy | undefined, what: string) => void
  readonly failed: (error: KernelError) => void
  readonly missed: () => void
}

/** Reports changes of policies that others made. */
export class PolicyListener implements Listener {
  readonly #reports: PolicyReports

  constructor(reports: PolicyReports) {
    this.#reports = reports
  }

  prepare(): Promise<void> {
    return Promise.resolve()
  }

  missed(): void {
    this.#reports.missed()
  }

  failed(error: KernelError): void {
    this.#reports.failed(error)
  }

  take(message: Message): void {
    const { ownPort, changed } = this.#reports
    if (message.port === ownPort()) return
    if (message.type === nl.XFRM_MSG_FLUSHPOLICY) changed(undefined, 'policies flushed')
    if (!POLICY_MESSAGES.has(message.type)) return
    const record = readPolicy(message)
    if (record === undefined) return
    const policy = policyOf(record)
    changed(policy, `${keyOf(policy)} ${message.type === nl.XFRM_MSG_DELPOLICY ? 'deleted' : 'changed'}`)
  }
}

const POLICY_MESSAGES = new Set([nl.XFRM_MSG_NEWPOLICY, nl.XFRM_MSG_UPDPOLICY, nl.XFRM_MSG_DELPOLICY])
