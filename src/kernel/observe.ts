// Reading the kernel: one kind of object at a time, as our own values.
// Invariant: reads only. The kernel filters what it can (device, table); what it cannot is left out here.
import { KernelError } from '../errors.ts'
import { askAddresses, readAddress } from '../netlink/address.ts'
import type { Message } from '../netlink/attribute.ts'
import type { Connection } from '../netlink/connection.ts'
import { ERRNO } from '../netlink/errno.ts'
import type { Encode } from '../netlink/message.ts'
import { askFdb, askNeighbors, readNeighbor } from '../netlink/neighbor.ts'
import { askNexthops, readNexthop } from '../netlink/nexthop.ts'
import { askRoutes, readRoute } from '../netlink/route.ts'
import type { Devices } from './devices.ts'
import { addressOf, linkOf, neighborOf, nexthopOf, routeOf } from './objects.ts'
import { type KernelObject, type KernelState, type Kind, keyOf } from './state.ts'

const NOTHING_THERE = new Set([ERRNO.ENODEV, ERRNO.ENOENT, ERRNO.EAFNOSUPPORT, ERRNO.EOPNOTSUPP])

/** Whether a dump failed because of devices that went, tables never used, families or kinds this kernel does not know. */
export function isNothingThere(error: unknown): boolean {
  return error instanceof KernelError && NOTHING_THERE.has(error.errno)
}

/**
 * All objects of a kind that could concern us, as Kernel.observe says. Devices are read anew with every kind, since a
 * name can pass from one device to another. Throws KernelError.
 */
export async function observe(
  connection: Connection,
  devices: Devices,
  kind: Kind,
  names: readonly string[],
): Promise<KernelState> {
  await devices.refresh()
  const indexes = names.map((name) => devices.indexOf(name)).filter((index) => index !== undefined)
  switch (kind) {
    case 'link':
      return observeLinks(devices, new Set(names))
    case 'address':
      return perDevice(connection, indexes, askAddresses, (message) => {
        const record = readAddress(message)
        return record !== undefined && indexes.includes(record.index) ? addressOf(record, nameOf) : undefined
      })
    case 'neighbor':
      return perDevice(connection, indexes, askNeighbors, (message) => {
        const record = readNeighbor(message)
        return !record.fdb && indexes.includes(record.index) ? neighborOf(record, nameOf) : undefined
      })
    case 'fdb':
      return perDevice(connection, indexes, askFdb, (message) => {
        const record = readNeighbor(message)
        return record.fdb && indexes.includes(record.index) ? neighborOf(record, nameOf) : undefined
      })
    case 'nexthop':
      return read(connection, [askNexthops], (message) => nexthopOf(readNexthop(message), nameOf))
    case 'route':
      return read(connection, [askRoutes(4), askRoutes(6)], (message) => {
        const record = readRoute(message)
        return record === undefined ? undefined : routeOf(record, nameOf)
      })
  }

  function nameOf(index: number): string {
    return devices.nameOf(index)
  }
}

/** Whether this kernel has nexthop objects (5.3+). */
export async function hasNexthops(connection: Connection): Promise<boolean> {
  try {
    await connection.dump('read nexthops', askNexthops, () => () => undefined)
    return true
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.EOPNOTSUPP) return false
    throw error
  }
}

function observeLinks(devices: Devices, names: ReadonlySet<string>): KernelState {
  const state = new Map<string, KernelObject>()
  for (const link of devices.all) {
    if (link.vxlan === undefined && !names.has(link.name)) continue
    const object = linkOf(link, (index) => devices.nameOf(index))
    state.set(keyOf(object), object)
  }
  return state
}

function perDevice(
  connection: Connection,
  indexes: readonly number[],
  ask: (index: number) => Encode,
  objectOf: (message: Message) => KernelObject | undefined,
): Promise<KernelState> {
  return read(connection, indexes.map(ask), objectOf)
}

/** Runs dumps one after another; what they find has different keys. */
async function read(
  connection: Connection,
  asks: readonly Encode[],
  objectOf: (message: Message) => KernelObject | undefined,
): Promise<KernelState> {
  const state = new Map<string, KernelObject>()
  for (const ask of asks) {
    try {
      const found = await collect(connection, ask, objectOf)
      if (asks.length === 1) return found
      for (const [key, object] of found) state.set(key, object)
    } catch (error) {
      if (!isNothingThere(error)) throw error
    }
  }
  return state
}

async function collect(
  connection: Connection,
  ask: Encode,
  objectOf: (message: Message) => KernelObject | undefined,
): Promise<KernelState> {
  const state = new Map<string, KernelObject>()
  await connection.dump('read kernel', ask, () => {
    state.clear()
    return (message) => {
      const object = objectOf(message)
      if (object === undefined) return
      const key = keyOf(object)
      // Of two routes with one destination and metric the kernel uses the first. Only group MACs, which no plan has, can
      // have several destinations (vxlan_fdb_update_existing in the kernel).
      if (!state.has(key)) state.set(key, object)
    }
  })
  return state
}
