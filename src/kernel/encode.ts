// One object to write, as a netlink message: pure. Devices (kind link) are written by apply-link.ts, peers of WireGuard by src/kernel/wireguard.
import { addAddress, deleteAddress } from '../netlink/address.ts'
import { ERRNO, type Refusal } from '../netlink/errno.ts'
import type { Encode } from '../netlink/message.ts'
import { type WriteMode, writeFdb, writeNeighbor } from '../netlink/neighbor.ts'
import { deleteNexthop, writeNexthop } from '../netlink/nexthop.ts'
import { type RouteHop, writeRoute } from '../netlink/route.ts'
import { writePolicy } from '../netlink/xfrm.ts'
import type { KernelObject, Link, RouteTarget, WireguardPeer } from './state.ts'

/** What is written by a single message. */
export type SingleMessageObject = Exclude<KernelObject, Link | WireguardPeer>

/** Finds a device's index, undefined when there is no such device. */
export type IndexOf = (device: string) => number | undefined

/** The message that writes an object, or undefined when its device does not exist. */
export function encodeEntry(write: WriteMode, object: SingleMessageObject, indexOf: IndexOf): Encode | undefined {
  if (object.kind === 'route') {
    const hop = hopOf(object.target, indexOf)
    return hop === undefined ? undefined : writeRoute(write, { ...object, hop })
  }
  if (object.kind === 'policy') return writePolicy(write, { ...object, template: object })
  const index = indexOf(object.device)
  // A nexthop object goes by its number alone.
  if (object.kind === 'nexthop' && write === 'delete') return deleteNexthop(object.id)
  if (index === undefined) return undefined
  switch (object.kind) {
    case 'address':
      return write === 'delete'
        ? deleteAddress(index, object.address, object.length)
        : addAddress(index, object.address, object.length)
    case 'fdb':
      return writeFdb(write, index, object.mac, object.destination)
    case 'neighbor':
      return writeNeighbor(write, index, object.address, object.mac)
    case 'nexthop':
      return write === 'delete'
        ? deleteNexthop(object.id)
        : writeNexthop(write, { id: object.id, gateway: object.gateway, index, protocol: object.protocol })
  }
}

function hopOf(target: RouteTarget, indexOf: IndexOf): RouteHop | undefined {
  if (target.type !== 'gateway' && target.type !== 'device') return target
  const index = indexOf(target.device)
  if (index === undefined) return undefined
  if (target.type === 'device') return { type: 'device', index }
  return { type: 'gateway', gateway: target.gateway, index, onlink: target.onlink }
}

/** What says "not there" when deleting: routes ESRCH, addresses EADDRNOTAVAIL, devices ENODEV, the others ENOENT. */
const ABSENT = new Set([ERRNO.ESRCH, ERRNO.ENOENT, ERRNO.EADDRNOTAVAIL, ERRNO.ENODEV])

/** Whether this answer to the deletion of `object` says that it was not there. */
export function saysAbsent(object: SingleMessageObject, { errno, detail }: Refusal): boolean {
  if (ABSENT.has(errno)) return true
  // A route goes with its nexthop; the kernel then stumbles over the nexthop's number before it looks for the route.
  const nexthop = object.kind === 'route' && object.target.type === 'nexthop'
  return nexthop && errno === ERRNO.EINVAL && detail === 'Nexthop id does not exist'
}
