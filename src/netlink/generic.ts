// Generic netlink (Documentation/userspace-api/netlink/intro-specs.rst): families have names, and numbers that the kernel gives out.
// Messages are genlmsghdr { command u8, version u8, reserved u16 } and attributes.
import { KernelError } from '../errors.ts'
import { NetlinkConnection } from './connection.ts'
import * as nl from './constants.ts'
import { ERRNO } from './errno.ts'
import type { MessageWriter } from './message.ts'

/** Bytes of genlmsghdr. */
export const GENLMSGHDR = 4

/** A connection to the generic netlink of a network namespace, the process's own by default. Throws KernelError. */
export function openGeneric(netns?: string): NetlinkConnection {
  return new NetlinkConnection(netns, {}, nl.NETLINK_GENERIC)
}

/** Begins a message to a family. */
export function genericHeader(message: MessageWriter, family: number, command: number): void {
  message.header(family, 0, GENLMSGHDR)
  message.setU8(0, command)
  message.setU8(1, 1)
}

/** The number a family has in this kernel. Rejects with KernelError: ENOENT where the kernel does not have it. */
export async function genericFamily(generic: NetlinkConnection, name: string): Promise<number> {
  let id = 0
  await generic.request(
    `look up ${name}`,
    (message) => {
      genericHeader(message, nl.GENL_ID_CTRL, nl.CTRL_CMD_GETFAMILY)
      message.text(nl.CTRL_ATTR_FAMILY_NAME, name)
    },
    (message) => {
      id = message.parse(GENLMSGHDR).number(nl.CTRL_ATTR_FAMILY_ID)
    },
  )
  return id
}

/** The number of a family; undefined where the kernel does not have it. Rejects with KernelError. */
export async function genericFamilyIfAny(generic: NetlinkConnection, name: string): Promise<number | undefined> {
  try {
    return await genericFamily(generic, name)
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.ENOENT) return undefined
    throw error
  }
}
