// Reading the kernel: one kind of object at a time, as our own values.
// Invariant: reads only. The kernel filters what it can (device, table); what it cannot is left out here.
import { KernelError } from '../errors.ts'
import { askAddresses, readAddress } from '../netlink/address.ts'
import type { Message } from '../netlink/attribute.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { ERRNO } from '../netlink/errno.ts'
import { type LinkRecord, askLinksOf, readLink } from '../netlink/link.ts'
import type { Encode } from '../netlink/message.ts'
import { askFdb, askNeighbors, readNeighbor } from '../netlink/neighbor.ts'
import { type NexthopRecord, askNexthops, readNexthop } from '../netlink/nexthop.ts'
import { type RouteRecord, askRoutes, readRoute } from '../netlink/route.ts'
import type { LinkTools } from './apply-link.ts'
import type { Devices } from './devices.ts'
import { isOfType, linkOf } from './links/drivers.ts'
import { type NameOf, interfaceAddressOf, neighborOf, nexthopOf, routeOf } from './objects.ts'
import { type KernelObject, type KernelState, type Kind, keyOf } from './state.ts'

const NOTHING_THERE = new Set([ERRNO.ENODEV, ERRNO.ENOENT, ERRNO.EAFNOSUPPORT, ERRNO.EOPNOTSUPP])

/** Whether a dump failed because of devices that went, tables never used, families or kinds this kernel does not know. */
export function isNothingThere(error: unknown): boolean {
  return error instanceof KernelError && NOTHING_THERE.has(error.errno)
}

/**
 * All objects of a kind that could concern us, as Kernel.observe says. The devices in question are read again with every kind,
 * since a name can pass from one device to another. Throws KernelError.
 */
export async function observe(
  { connection, devices, wireguard }: LinkTools,
  kind: Exclude<Kind, 'policy'>,
  names: readonly string[],
): Promise<KernelState> {
  await devices.refresh(names)
  const indexes = names.map((name) => devices.indexOf(name)).filter((index) => index !== undefined)
  const nameOf: NameOf = (index) => devices.nameOf(index)
  switch (kind) {
    case 'link':
      return observeLinks({ connection, devices, wireguard }, names)
    case 'wireguard-peer':
      return wireguard.observe(names)
    case 'address':
      return perDevice(connection, indexes, askAddresses, (message) => {
        const record = readAddress(message)
        return record !== undefined && indexes.includes(record.index) ? interfaceAddressOf(record, nameOf) : undefined
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
      return observeNamed(connection, devices, [askNexthops], NEXTHOPS)
    case 'route':
      return observeNamed(connection, devices, [askRoutes(4), askRoutes(6)], ROUTES)
  }
}

/** Whether this kernel has nexthop objects (5.3+). */
export async function hasNexthops(connection: NetlinkConnection): Promise<boolean> {
  try {
    await connection.dump('read nexthops', askNexthops, () => () => undefined)
    return true
  } catch (error) {
    if (error instanceof KernelError && error.errno === ERRNO.EOPNOTSUPP) return false
    throw error
  }
}

/** Ours by their names, which no change of others can hide; of the rest, those of our kind. */
async function observeLinks(
  { connection, devices, wireguard }: LinkTools,
  names: readonly string[],
): Promise<KernelState> {
  const found = new Map<number, LinkRecord>()
  await connection.dump('read devices', askLinksOf('vxlan'), () => {
    found.clear()
    return (message) => {
      const link = readLink(message)
      if (link.vxlan !== undefined) found.set(link.index, link)
    }
  })
  for (const name of names) {
    const link = await devices.read(name)
    if (link !== undefined) found.set(link.index, isOfType(link, 'wireguard') ? await wireguard.described(link) : link)
  }
  const nameOf = await devices.names([...found.values()].map((link) => link.vxlan?.underlay ?? 0))
  const state = new Map<string, KernelObject>()
  for (const link of found.values()) {
    const object = linkOf(link, nameOf)
    state.set(keyOf(object), object)
  }
  return state
}

/** A kind whose objects are on any device: how one is read, on which device it is, and what it is to us. */
interface Named<R> {
  readonly read: (message: Message) => R | undefined
  readonly indexOf: (record: R) => number
  readonly objectOf: (record: R, nameOf: NameOf) => KernelObject | undefined
}

const NEXTHOPS: Named<NexthopRecord> = { read: readNexthop, indexOf: ({ index }) => index, objectOf: nexthopOf }
const ROUTES: Named<RouteRecord> = {
  read: readRoute,
  indexOf: ({ hop }) => ('index' in hop ? hop.index : 0),
  objectOf: routeOf,
}

/** Names of devices not asked for before are looked up after the dump; few objects are on such. */
async function observeNamed<R>(
  connection: NetlinkConnection,
  devices: Devices,
  asks: readonly Encode[],
  { read: recordOf, indexOf, objectOf }: Named<R>,
): Promise<KernelState> {
  const nameOf: NameOf = (index) => devices.nameOf(index)
  const unnamed = new Map<KernelObject, R>()
  const state = await read(connection, asks, (message) => {
    const record = recordOf(message)
    const object = record && objectOf(record, nameOf)
    if (record === undefined || object === undefined) return undefined
    const index = indexOf(record)
    if (index !== 0 && !devices.isFollowed(index)) unnamed.set(object, record)
    return object
  })
  if (unnamed.size === 0) return state
  const known = await devices.names([...unnamed.values()].map(indexOf))
  // In the place it has: of two with one key the first one counts.
  const named = new Map(state)
  for (const [object, record] of unnamed) {
    const again = state.get(keyOf(object)) === object ? objectOf(record, known) : undefined
    if (again !== undefined) named.set(keyOf(again), again)
  }
  return named
}

function perDevice(
  connection: NetlinkConnection,
  indexes: readonly number[],
  ask: (index: number) => Encode,
  objectOf: (message: Message) => KernelObject | undefined,
): Promise<KernelState> {
  return read(connection, indexes.map(ask), objectOf)
}

/** Runs dumps one after another; what they find has different keys. */
async function read(
  connection: NetlinkConnection,
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
  connection: NetlinkConnection,
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
