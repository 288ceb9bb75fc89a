// A host's links, addresses and unicast routes, as the choice of the external interface wants them, and the kernel's own answer
// to where packets go: with policy rules, several tables and multipath no reading of the main table shows that.
import { KernelError } from '../errors.ts'
import type { AskedRoutes, HostAddress, HostLink, HostNetwork, HostRoute, RouteAnswer } from './host-network.ts'
import type { Address, Family } from '../ip/address.ts'
import { askAddresses, readAddress } from '../netlink/address.ts'
import type { Message } from '../netlink/attribute.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { RTPROT_RA, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from '../netlink/constants.ts'
import type { Encode } from '../netlink/message.ts'
import { type NexthopRecord, askNexthops, readNexthop } from '../netlink/nexthop.ts'
import { askRoute, readAnswer } from '../netlink/route-lookup.ts'
import { readHops } from '../netlink/route-hops.ts'
import { askRoutes, readRoute } from '../netlink/route.ts'
import { Devices } from './devices.ts'
import { foreignWeight } from './fingerprint.ts'
import { ERRNO } from '../netlink/errno.ts'
import { isNothingThere } from './observe.ts'
import { FLANNEL_PROTOCOL } from './state.ts'

/**
 * Reads a host's network, and asks for the ways to `questions`; its routes only where they are not `known`. With them comes the
 * weight of what was dumped of others' routes and nexthops (foreignWeight). Throws KernelError.
 */
export async function readHost(
  connection: NetlinkConnection,
  questions: readonly Address[],
  known?: HostNetwork['routes'],
): Promise<{ readonly host: HostNetwork; readonly weight: number }> {
  const devices = new Devices(connection)
  await devices.readAll()
  const links: readonly HostLink[] = [...devices.all].map(({ type: kind, lowerUp: carrier, ...link }) => {
    const { index, name, mtu, mac, up, loopback, master } = link
    return { index, name, mtu, mac, up, carrier, loopback, master, kind }
  })
  const addresses = await readAddresses(connection)
  const asked = await askKernel(connection, questions)
  if (known !== undefined) return { host: { links, addresses, routes: known, asked }, weight: 0 }
  const nexthops = await readNexthops(connection)
  const [four, six] = [await readRoutes(connection, 4, nexthops.found), await readRoutes(connection, 6, nexthops.found)]
  const weight = nexthops.weight + four.weight + six.weight
  return { host: { links, addresses, routes: [...four.found, ...six.found], asked }, weight }
}

/** What says nothing of a route: the connection failed. */
const NO_ANSWER: readonly number[] = [ERRNO.ETIMEDOUT, ERRNO.ENOBUFS, ERRNO.EBADF]

/** Where the kernel would send packets to each of these. Throws KernelError when it gives no answer at all. */
export async function askKernel(connection: NetlinkConnection, targets: readonly Address[]): Promise<AskedRoutes> {
  const asked = new Map<Address, RouteAnswer | string>()
  for (const target of new Set(targets)) {
    let answer: RouteAnswer | string = 'stays on this host'
    try {
      await connection.request('ask for a route', askRoute(target), (message) => {
        answer = readAnswer(message) ?? answer
      })
    } catch (error) {
      // Unreachable, blackhole and prohibit routes, and none at all, are answered by an errno each (rtnetlink(7)).
      if (!(error instanceof KernelError) || NO_ANSWER.includes(error.errno)) throw error
      answer = error.code
    }
    asked.set(target, answer)
  }
  return asked
}

/** All addresses; those of a device that an interrupted dump passed over, though an earlier attempt saw it, are asked for. */
async function readAddresses(connection: NetlinkConnection): Promise<readonly HostAddress[]> {
  const seen = new Set<number>()
  const byDevice = new Map<number, HostAddress[]>()
  const take = (message: Message): void => {
    const record = readAddress(message)
    if (record === undefined) return
    const { index, address, length, scope, network, permanent, fleeting } = record
    seen.add(index)
    const own = byDevice.get(index) ?? []
    const lasts = { ...(permanent ? {} : ({ dynamic: true } as const)), ...(fleeting ? ({ fleeting } as const) : {}) }
    if (own.push({ index, address, length, scope: scopeName(scope), network, ...lasts }) === 1) byDevice.set(index, own)
  }
  await connection.dump('read addresses', askAddresses(0), () => {
    byDevice.clear()
    return take
  })
  for (const index of seen) {
    if (byDevice.has(index)) continue
    await dumpIfAny(connection, askAddresses(index), () => {
      byDevice.delete(index)
      return (message) => {
        if (message.i32(4) === index) take(message)
      }
    })
  }
  return [...byDevice.values()].flat()
}

/** What a dump showed, with its weight. */
interface Weighed<T> {
  readonly found: T
  readonly weight: number
}

async function readRoutes(
  connection: NetlinkConnection,
  family: Family,
  nexthops: Nexthops,
): Promise<Weighed<readonly HostRoute[]>> {
  const routes: HostRoute[] = []
  let weight = 0
  await dumpIfAny(connection, askRoutes(family), () => {
    routes.length = 0
    weight = 0
    return (message) => {
      weight += foreignWeight('route', message)
      if (message.u8(5) === FLANNEL_PROTOCOL) return // ours lead into the overlay, and there may be thousands
      const record = readRoute(message)
      if (record === undefined) return
      const { destination, metric, hop } = record
      const origin = record.protocol === RTPROT_RA ? ({ announced: true } as const) : {}
      for (const { index, gateway, live } of readHops(message)) {
        const object = hop.type === 'nexthop' && index === 0 ? nexthops.get(hop.id) : undefined
        const place = object === undefined ? { index, gateway } : { index: object.index, gateway: object.gateway }
        if (place.index !== 0) routes.push({ destination, metric, live, ...place, ...origin })
      }
    }
  })
  return { found: routes, weight }
}

/** Nexthop objects by number: routing daemons may lead even the default route through one. */
type Nexthops = ReadonlyMap<number, NexthopRecord>

async function readNexthops(connection: NetlinkConnection): Promise<Weighed<Nexthops>> {
  const nexthops = new Map<number, NexthopRecord>()
  let weight = 0
  await dumpIfAny(connection, askNexthops, () => {
    nexthops.clear()
    weight = 0
    return (message) => {
      weight += foreignWeight('nexthop', message)
      if (message.u8(2) === FLANNEL_PROTOCOL) return
      const record = readNexthop(message)
      nexthops.set(record.id, record)
    }
  })
  return { found: nexthops, weight }
}

async function dumpIfAny(
  connection: NetlinkConnection,
  ask: Encode,
  begin: () => (message: Message) => void,
): Promise<void> {
  try {
    await connection.dump('read host', ask, begin)
  } catch (error) {
    if (!isNothingThere(error)) throw error
  }
}

/** rtnetlink(7): what is neither site nor universe nor link is of the host alone. */
function scopeName(scope: number): HostAddress['scope'] {
  return scope < RT_SCOPE_LINK && scope >= RT_SCOPE_UNIVERSE ? 'global' : scope === RT_SCOPE_LINK ? 'link' : 'host'
}
