// The devices that earlier runs left on this host.
import { forwarderPort } from '../helpers/forwarder.ts'
import { type Prefix, contains } from '../ip/prefix.ts'
import type { Mac } from '../ip/mac.ts'
import type { Locks } from '../host/lock.ts'
import { DEVICE_NAMES, IPIP_DEVICE, IPIP_PROTOCOL, isFlannelDevice, vniOf } from '../kernel/flannel-link.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/state.ts'
import { type Arrival, guardTable } from '../firewall/nftables/arrival.ts'
import { deviceLock } from './obstacles.ts'

/** Devices of earlier runs, ours or Go's. */
export interface FoundDevices {
  /** The names of all. */
  readonly all: readonly string[]
  /** MACs of those that have one, by name. */
  readonly macs: ReadonlyMap<string, Mac>
  /** Those that carry an address of one of the networks: left by a run with another VNI or backend. */
  readonly names: readonly string[]
  /** How packets arrive at those, and at the device we are about to go on with. */
  readonly standing: readonly Arrival[]
}

/** Looks for devices named as ours are, and whose lock no other daemon has. */
export async function findDevices(kernel: Kernel, networks: readonly Prefix[], locks: Locks): Promise<FoundDevices> {
  const links: Link[] = []
  for (const link of (await kernel.observe('link', DEVICE_NAMES)).values())
    if (isFlannelDevice(link) && locks.holder(deviceLock(link.name)) === undefined) links.push(link)
  const names = new Set<string>()
  for (const found of (
    await kernel.observe(
      'address',
      links.map(({ name }) => name),
    )
  ).values()) {
    if (found.kind !== 'address') continue
    if (networks.some((network) => contains(network, found.address))) names.add(found.device)
  }
  const standing = links.filter(
    (link) => link.up && (names.has(link.name) || locks.names.includes(deviceLock(link.name))),
  )
  return {
    all: links.map(({ name }) => name),
    macs: new Map(links.flatMap((link) => ('mac' in link ? [[link.name, link.mac] as const] : []))),
    names: [...names],
    standing: (await Promise.all(standing.map(arrivalAt))).filter((arrival) => arrival !== undefined),
  }
}

/** How packets arrive at a device; undefined where none do. */
async function arrivalAt(link: Link): Promise<Arrival | undefined> {
  switch (link.type) {
    case 'vxlan':
      return link
    case 'ipip':
      return { type: 'protocol', protocol: IPIP_PROTOCOL }
    case 'wireguard':
      // It authenticates what it takes in.
      return undefined
    case 'tun': {
      const port = await forwarderPort(link.name)
      return port === undefined ? undefined : { type: 'udp', port }
    }
  }
}

/** The tables that guard devices, by the devices' names. */
export function guardsOf(devices: Iterable<string>): readonly string[] {
  return [...new Set(Array.from(devices, guardOf).filter((table) => table !== undefined))]
}

function guardOf(device: string): string | undefined {
  if (device === IPIP_DEVICE) return guardTable({ type: 'protocol', protocol: IPIP_PROTOCOL })
  const vni = vniOf(device)
  return vni === undefined ? undefined : guardTable({ type: 'vxlan', port: 0, vni })
}
