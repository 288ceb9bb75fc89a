// Making, changing and deleting a device of ours: a few requests one after another.
// Invariant: only devices of the wanted type are changed or deleted, whatever else has the wanted name.
import { KernelError } from '../errors.ts'
import { constants } from 'node:fs'
import { addon } from '../netlink/addon.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { ERRNO, kernelError } from '../netlink/errno.ts'
import { type LinkRecord, changeLink, deleteLink, renameLink, withoutLinkLocal } from '../netlink/link.ts'
import type { Devices } from './devices.ts'
import type { KernelChange } from './kernel.ts'
import { driverFor, driverOf } from './links/drivers.ts'
import type { Link } from './state.ts'
import type { Wireguard } from './wireguard/wireguard.ts'

/** What a device is called that is about to take the place of another. */
const BESIDE = 'flannel.new'

/** Least MTU of IPv6 (RFC 8200); below it the kernel forgets a device's IPv6 settings, and starts again above it. */
const IPV6_MTU = 1280

/** What changes are made with. */
export interface LinkTools {
  readonly connection: NetlinkConnection
  readonly devices: Devices
  readonly wireguard: Wireguard
}

/** Applies a change of a device. Throws KernelError. */
export async function applyLink(tools: LinkTools, verb: KernelChange['verb'], wanted: Link): Promise<void> {
  const { devices } = tools
  const found = await devices.read(wanted.name)
  if (found !== undefined && verb !== 'add' && driverFor(found)?.type !== wanted.type)
    throw kernelError('rtnetlink', { errno: ERRNO.EEXIST, detail: `a device of kind ${found.type || 'hardware'}` })
  if (found !== undefined && verb === 'delete') await remove(tools, found)
  if (verb === 'delete') return
  if (found !== undefined && verb === 'recreate') return recreate(tools, wanted, found)
  if (verb === 'replace' && found !== undefined) await change(tools, wanted, found)
  else await create(tools, wanted)
  await devices.read(wanted.name)
}

async function remove({ connection, devices }: LinkTools, found: LinkRecord): Promise<void> {
  try {
    await connection.request('rtnetlink', deleteLink(found.index))
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno !== ERRNO.ENODEV) throw error
  }
  devices.delete(found.index)
}

/**
 * Puts a device in place of one of the same name. It is made, and set up for a moment, under another name before the old one
 * goes: what the kernel refuses (a port in use, say) leaves the old one as it was, and working.
 */
async function recreate(tools: LinkTools, wanted: Link, found: LinkRecord): Promise<void> {
  const { connection, devices } = tools
  if (wanted.type === 'wireguard') {
    // A program does not follow a change of its device's name.
    await remove(tools, found)
    return create(tools, wanted)
  }
  const left = await devices.read(BESIDE)
  if (left !== undefined && driverFor(left)?.type === wanted.type) await remove(tools, left)
  // Of VXLAN devices with other group policies on one port both can be there, but not up: the port is the old one's.
  const up = wanted.up && !('port' in wanted && found.vxlan?.port === wanted.port)
  try {
    await create(tools, { ...wanted, name: BESIDE, up })
  } catch (error) {
    const half = await devices.read(BESIDE)
    if (half !== undefined && driverFor(half)?.type === wanted.type) await remove(tools, half)
    throw error
  }
  const made = await devices.read(BESIDE)
  if (made === undefined) throw kernelError('rtnetlink', { errno: ERRNO.ENODEV, detail: `${BESIDE} is gone again` })
  // Kernels before 6.2 rename no device that is up.
  await connection.request('rtnetlink', changeLink(made.index, { up: false }))
  await remove(tools, found)
  await connection.request('rtnetlink', renameLink(made.index, wanted.name))
  if (wanted.up) await connection.request('rtnetlink', changeLink(made.index, { up: true }))
  await devices.read(wanted.name)
}

async function create(tools: LinkTools, wanted: Link): Promise<void> {
  const { connection, devices, wireguard } = tools
  const { name, up, mtu } = wanted
  if (wanted.type === 'wireguard' && wireguard.program !== undefined) await wireguard.start(wireguard.program, name)
  else await createInKernel(tools, wanted)
  const made = await devices.read(name)
  if (made === undefined) throw kernelError('rtnetlink', { errno: ERRNO.ENODEV, detail: `${name} is gone again` })
  await withoutAutomaticIPv6(connection, made)
  if (made.mtu !== mtu) await connection.request('rtnetlink', changeLink(made.index, { mtu }))
  if (wanted.type === 'wireguard') await wireguard.configure(wanted, made)
  if (up) await connection.request('rtnetlink', changeLink(made.index, { up: true }))
}

async function createInKernel({ connection, devices }: LinkTools, wanted: Link): Promise<void> {
  const driver = driverOf(wanted.type)
  const encode = await driver.create(wanted, devices)
  try {
    await connection.request('rtnetlink', encode)
  } catch (error) {
    // "Unknown device type": the kernel tried to load the module itself, and there is none.
    if (!(error instanceof KernelError) || error.errno !== ERRNO.EOPNOTSUPP) throw error
    throw kernelError('rtnetlink', { errno: error.errno, detail: driver.missing })
  }
}

/** Keeps IPv6 from configuring the device by itself. Where there is no IPv6 both fail, and are not needed. */
async function withoutAutomaticIPv6(connection: NetlinkConnection, { index, name }: LinkRecord): Promise<void> {
  await connection.request('rtnetlink', withoutLinkLocal(index)).catch(() => undefined)
  const path = `/proc/sys/net/ipv6/conf/${name}/accept_ra`
  const fd = addon().open(path, constants.O_WRONLY, connection.netns)
  if (fd < 0) return
  addon().write(fd, Buffer.from('0'))
  addon().close(fd)
}

async function change(tools: LinkTools, wanted: Link, found: LinkRecord): Promise<void> {
  const { connection, devices, wireguard } = tools
  const inside = await driverOf(wanted.type).change(wanted, found, devices)
  const mac = 'mac' in wanted && wanted.mac !== found.mac ? { mac: wanted.mac } : {}
  const outside = { ...mac, ...(wanted.up === found.up ? {} : { up: wanted.up }) }
  if (inside !== undefined) await connection.request('rtnetlink', inside)
  if (wanted.type === 'wireguard') await wireguard.configure(wanted, found)
  if (Object.keys(outside).length > 0) await connection.request('rtnetlink', changeLink(found.index, outside))
  // Last and alone: more than the underlay carries is refused, which must not keep the rest from being repaired.
  if (wanted.mtu !== found.mtu) await connection.request('rtnetlink', changeLink(found.index, { mtu: wanted.mtu }))
  if (found.mtu < IPV6_MTU) await withoutAutomaticIPv6(connection, found)
}
