// The devices that earlier runs left on this host.
import { type Prefix, contains } from '../ip/prefix.ts'
import type { Mac } from '../ip/mac.ts'
import type { Locks } from '../host/lock.ts'
import { isFlannelLink, vniOf } from '../kernel/flannel-link.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { VxlanLink } from '../kernel/state.ts'
import type { Receiving } from '../overlay/guard-order.ts'
import { vxlanLock } from './obstacles.ts'

/** Devices of earlier runs, ours or Go's. */
export interface FoundDevices {
  /** MACs of all flannel.N devices, by name. */
  readonly macs: ReadonlyMap<string, Mac>
  /** Those that carry an address of one of the networks: left by a run with another VNI. */
  readonly names: readonly string[]
  /** Where those, and the device we are about to go on with, receive. */
  readonly standing: readonly Receiving[]
}

/** Looks for VXLAN devices named as ours are, and whose lock no other daemon has. */
export async function findDevices(kernel: Kernel, networks: readonly Prefix[], locks: Locks): Promise<FoundDevices> {
  const links: VxlanLink[] = []
  for (const link of (await kernel.observe('link', [])).values())
    if (isFlannelLink(link) && locks.holder(lockOf(link)) === undefined) links.push(link)
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
    macs: new Map(links.map(({ name, mac }) => [name, mac])),
    names: [...names],
    standing: links.filter((link) => link.up && (names.has(link.name) || locks.names.includes(lockOf(link)))),
  }
}

function lockOf({ name }: VxlanLink): string {
  return vxlanLock(vniOf(name) ?? 0)
}
