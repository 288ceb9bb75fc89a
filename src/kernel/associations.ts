// The IPsec associations of this host's tunnels: read for people and for what keeps them, deleted when nobody knows them any more.
import { NetlinkConnection } from '../netlink/connection.ts'
import * as nl from '../netlink/constants.ts'
import { ERRNO } from '../netlink/errno.ts'
import { type SecurityAssociation, askAssociations, deleteAssociation, readAssociation } from '../netlink/xfrm-state.ts'
import { KernelError } from '../errors.ts'
import { Notifications } from './notifications.ts'
import { hasNoXfrm } from './policies.ts'
import { IPSEC_REQID } from './state.ts'

/** Those that go with our policies, as they are now. Throws KernelError. */
export async function ownAssociations(): Promise<readonly SecurityAssociation[]> {
  const found: SecurityAssociation[] = []
  await withXfrm((connection) =>
    connection.dump('read associations', askAssociations, () => {
      found.length = 0
      return (message) => {
        const one = readAssociation(message)
        if (one?.reqid === IPSEC_REQID) found.push(one)
      }
    }),
  )
  return found
}

/** Deletes these; absent ones are no failure. Throws KernelError. */
export async function deleteAssociations(stale: readonly SecurityAssociation[]): Promise<void> {
  if (stale.length === 0) return
  await withXfrm(async (connection) => {
    for (const one of stale) {
      try {
        await connection.request(`delete association ${one.from} to ${one.to}`, deleteAssociation(one))
      } catch (error) {
        if (!(error instanceof KernelError) || error.errno !== ERRNO.ESRCH) throw error
      }
    }
  })
}

/** Three hundred bytes each, two a peer. */
const BUFFER = 4 * 1024 * 1024

/** Calls back when associations were deleted, by whomever, until the signal aborts. Throws KernelError. */
export function watchAssociations(deleted: () => void, signal: AbortSignal): void {
  const listener = {
    take: ({ type }: { readonly type: number }) => {
      if (type === nl.XFRM_MSG_DELSA || type === nl.XFRM_MSG_FLUSHSA) deleted()
    },
    missed: deleted,
    failed: () => undefined,
    prepare: () => Promise.resolve(),
  }
  const groups = { protocol: nl.NETLINK_XFRM, groups: [nl.XFRMNLGRP_SA] }
  try {
    new Notifications(undefined, BUFFER, listener, signal, groups).listen()
  } catch (error) {
    if (!hasNoXfrm(error)) throw error
  }
}

async function withXfrm(use: (connection: NetlinkConnection) => Promise<void>): Promise<void> {
  let connection: NetlinkConnection
  try {
    connection = new NetlinkConnection(undefined, {}, nl.NETLINK_XFRM)
  } catch (error) {
    if (hasNoXfrm(error)) return
    throw error
  }
  try {
    await use(connection)
  } finally {
    connection.close()
  }
}
