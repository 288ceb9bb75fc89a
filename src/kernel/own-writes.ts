// What we are writing at this moment and the kernel will report without saying that it was us. Most notifications carry
// the port of the socket that asked; forwarding entries, links, IPv6 addresses and the end of a neighbour carry port 0.
// Invariant: an entry lives from before its message is sent until the batch is done and all notifications are read, so
// that a later change by others is never taken for ours.
import { familyOf } from '../ip/address.ts'
import type { WriteMode } from '../netlink/neighbor.ts'
import { type KernelObject, keyOf } from './state.ts'

/** Notifications under way that we cause. */
export class OwnWrites {
  readonly #expected = new Set<string>()
  /** Reads all notifications that have arrived; the monitor sets it. */
  drain: () => void = () => undefined

  /** A message is about to be sent. */
  expect(write: WriteMode, object: KernelObject): void {
    const key = announced(write === 'delete', object)
    if (key !== undefined) this.#expected.add(key)
  }

  /** Whether a notification is one of those. */
  has(deleted: boolean, object: KernelObject): boolean {
    if (this.#expected.size === 0) return false
    // A device that goes takes along what is on it.
    if (deleted && 'device' in object && this.#expected.has(`link ${object.device}`)) return true
    const key = announced(deleted, object)
    return key !== undefined && this.#expected.has(key)
  }

  /** The batch is over: what has not come by now never will (the kernel is silent about what changed nothing). */
  settle(): void {
    this.drain()
    this.#expected.clear()
  }
}

/** How the kernel announces a write with port 0, for the kinds where it does. */
function announced(deleted: boolean, object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'link': // made, renamed, set up: several notifications each, and a recreation has all of them
      return keyOf(object)
    case 'fdb': // deleted, it may have led anywhere
      return deleted ? `- ${keyOf(object)}` : `+ ${keyOf(object)} ${object.destination}`
    case 'neighbor':
      return deleted ? `- ${keyOf(object)}` : undefined
    case 'address':
      return familyOf(object.address) === 6 ? `${deleted ? '-' : '+'} ${keyOf(object)}` : undefined
    case 'wireguard-peer': // announced to nobody
    case 'nexthop':
    case 'policy':
    case 'route':
      return undefined
  }
}
