// The devices that earlier runs left on this host.
import { type Prefix, contains } from '../ip/prefix.ts'
import type { Mac } from '../ip/mac.ts'
import type { Locks } from '../host/lock.ts'
import { DEVICE_NAMES, isFlannelDevice } from '../kernel/flannel-link.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type Link, isVxlan } from '../kernel/state.ts'
import type { Receiving } from '../overlay/guard-order.ts'
import { deviceLock } from './obstacles.ts'

/** Devices of earlier runs, ours or Go's. */
export interface FoundDevices {
  /** MACs of those that have one, by name. */
  readonly macs: ReadonlyMap<string, Mac>
  /** Those that carry an address of one of the networks: left by a run with another VNI or backend. */
  readonly names: readonly string[]
  /** Where those, and the device we are about to go on with, receive. */
  readonly standing: readonly Receiving[]
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
  return {
    macs: new Map(links.flatMap((link) => ('mac' in link ? [[link.name, link.mac] as const] : []))),
    names: [...names],
    standing: links
      .filter(isVxlan)
      .filter((link) => link.up && (names.has(link.name) || locks.names.includes(deviceLock(link.name)))),
  }
}
