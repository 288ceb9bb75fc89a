// Why this host, as it is now, cannot run a network config: everything the kernel, or another program here, would refuse is
// found out before anything is touched. Invariant: reads only, locks and a port bound for a moment aside.
import type { AnyBackend, ExternalInterface, Requirement, Self } from '../backend.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { searchPath } from '../helpers/commands/run-command.ts'
import type { Store } from '../etcd/store.ts'
import type { Mac } from '../ip/mac.ts'
import { type Prefix, prefixOf, prefixFamily } from '../ip/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { driverOf } from '../kernel/links/drivers.ts'
import { vniOf } from '../kernel/flannel-link.ts'
import { type Link, type VxlanLink, isVxlan } from '../kernel/state.ts'
import type { Holder, Locks } from '../host/lock.ts'
import { overlapWith } from './network-overlap.ts'
import { serves } from '../reconcile/intent.ts'
import type { Options } from '../options/type.ts'
import { type FoundDevice, strangersOn } from './whose-device.ts'
import { type ByFamily, type SomeFamily, inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import { type Family, familyOf } from '../ip/address.ts'
import { type HostAsked, lackOf } from './requirements.ts'

/** What is looked at. */
export interface ObstacleParts {
  readonly kernel: LiveKernel
  readonly store: Store
  readonly options: Options
  readonly locks: Locks
  readonly externals: SomeFamily<ExternalInterface>
  readonly hostId: string
  /** The subnets in subnet.env of the run before. */
  readonly previousSubnets: ByFamily<Prefix>
  /** Whether a device is one this daemon has made its own already. */
  readonly isOurs: (device: string) => boolean
}

/** Why this host cannot run a config; undefined when it can, and only then its locks are ours. Throws KernelError, EtcdError. */
export async function obstacleTo(configuration: Configuration, parts: ObstacleParts): Promise<string | undefined> {
  const before = parts.locks.names
  let obstacle: string | undefined = 'not known yet'
  try {
    return (obstacle = await find(configuration, parts))
  } finally {
    if (obstacle !== undefined) parts.locks.keep(before)
  }
}

async function find(configuration: Configuration, parts: ObstacleParts): Promise<string | undefined> {
  const { externals, kernel, options } = parts
  for (const external of valuesOf(externals)) {
    const refusal = configuration.own.backend.refuses(external)
    if (refusal !== undefined) return refusal
  }
  const taken = takenBy(configuration, parts)
  if (taken !== undefined) return taken
  const lack = await lackIn(configuration, parts)
  if (lack !== undefined) return lack
  for (const link of devicesOf(configuration, externals, parts.hostId)) {
    const obstacle = await obstacleAt(link, configuration, parts)
    if (obstacle !== undefined) return obstacle
  }
  if (options.forceNetworkOverlap) return undefined
  const host = await kernel.readHost()
  return overlapWith(configuration, externals, host)
}

/** What a backend needs and this host does not have: the first of it. */
async function lackIn(configuration: Configuration, parts: ObstacleParts): Promise<string | undefined> {
  for await (const lack of lacksIn(configuration, parts)) return lack
  return undefined
}

/** All of it; only of requirements that `concerns`. Throws KernelError. */
export async function* lacksIn(
  configuration: Configuration,
  parts: Pick<ObstacleParts, 'externals' | 'hostId' | 'kernel'>,
  concerns: (requirement: Requirement) => boolean = () => true,
): AsyncGenerator<string> {
  const { backend } = configuration.own
  for (const self of anySelves(configuration, parts.externals, parts.hostId)) {
    for (const requirement of (backend.requires?.(self) ?? []).filter(concerns)) {
      const lack = await lackOf(requirement, askedFor(self.family, configuration, parts))
      if (lack !== undefined) yield lack
    }
  }
}

function askedFor(family: Family, { own }: Configuration, { kernel }: Pick<ObstacleParts, 'kernel'>): HostAsked {
  return { kernel, type: own.backend.type, family, path: searchPath() }
}

/** The names of the locks a config needs: a daemon alone has a device and a network. */
export function locksOf(configuration: Configuration, externals: SomeFamily<ExternalInterface>): readonly string[] {
  const networks = valuesOf(configuration.ranges).map(({ network }) => networkLock(network))
  return [...networks, ...devicesOf(configuration, externals, '').map(({ name }) => deviceLock(name))]
}

export function networkLock(network: Prefix): string {
  return `network ${network}`
}

export function vxlanLock(vni: number): string {
  return `vxlan ${vni}`
}

/** The lock of a device of ours: that of its VNI where it has one, since both families share it. */
export function deviceLock(name: string): string {
  const vni = vniOf(name)
  return vni === undefined ? `device ${name}` : vxlanLock(vni)
}

/** The VXLAN devices a config wants, for any subnet. */
export function linksOf(...wanted: Parameters<typeof devicesOf>): readonly VxlanLink[] {
  return devicesOf(...wanted).filter(isVxlan)
}

/** The devices a config wants, for any subnet. */
function devicesOf(
  configuration: Configuration,
  externals: SomeFamily<ExternalInterface>,
  hostId: string,
): readonly Link[] {
  const { own } = configuration
  const objects = anySelves(configuration, externals, hostId).flatMap((self) => own.backend.base(self))
  const links = objects.flatMap((object) => (object.kind === 'link' ? [object] : []))
  // Both families may want one device that carries both.
  return [...new Map(links.map((link) => [link.name, link])).values()]
}

/** Our host in each family of a config, with any subnet. What will be prepared is not known yet. */
function anySelves(
  { own, ranges }: Configuration,
  externals: SomeFamily<ExternalInterface>,
  hostId: string,
): readonly Self<unknown>[] {
  const selves = mapFamilies(ranges, ({ network, subnetMin, subnetLen }, family) => {
    const external = inFamily(externals, family)
    if (external === undefined || !serves(own.backend, family)) return []
    const prepares = own.backend.prepares?.(own.config, network, external) ?? []
    const prepared = new Map(prepares.map(({ name }) => [name, '']))
    const self = selfOf(network, prefixOf(subnetMin, subnetLen), external, hostId)
    return [{ ...self, prepared, config: own.config }]
  })
  return valuesOf(selves).flat()
}

function selfOf(
  network: Prefix,
  subnet: Prefix,
  external: ExternalInterface,
  hostId: string,
): Omit<Self<unknown>, 'config'> {
  return {
    family: prefixFamily(network),
    network,
    subnet,
    external,
    otherExternal: undefined,
    prepared: new Map(),
    hostId,
    keptMacs: new Map(),
    nexthops: false,
  }
}

function takenBy(configuration: Configuration, { locks, externals }: ObstacleParts): string | undefined {
  for (const name of locksOf(configuration, externals)) {
    const holder = locks.take(name)
    if (holder === undefined) continue
    const what = name.replace(/^vxlan /, 'flannel.').replace(/^device /, '')
    const other = name.startsWith('device ') ? 'Backend.Type' : 'VNI'
    return `${what}: another flanneld (${processOf(holder)}) of this network namespace has it: stop that one, or give this one another ${other} and Network`
  }
  return undefined
}

/** A process for people. */
export function processOf({ pid }: Holder): string {
  if (pid === undefined) return 'its process is unknown: too many clients ask it'
  return pid === 0 ? 'in another container' : `process ${pid}`
}

async function obstacleAt(link: Link, configuration: Configuration, parts: ObstacleParts): Promise<string | undefined> {
  const { kernel } = parts
  if ((await kernel.hasLinkType(link.type)) === false) return `${link.name}: ${driverOf(link.type).missing}`
  if (!parts.isOurs(link.name)) {
    const found = await foundDevice(kernel, link.name)
    const carries = found && strangersOn(found, await evidence(found, link, configuration, parts))
    const other = isVxlan(link) ? 'Backend.VNI' : 'Backend.Type'
    if (carries !== undefined)
      return `${link.name}: ${carries}: left alone: set another ${other}, or remove it if it is not needed: ip link del ${link.name}`
  }
  if (!isVxlan(link)) return undefined
  const others = [...(await kernel.observe('link', [link.name])).values()].filter(isVxlan)
  const asked = askedFor(familyOf(link.local), configuration, parts)
  return clashWith(link, others, parts.isOurs) ?? (await portObstacle(link, others, asked))
}

/** Another VXLAN device in the way of ours. `others` may have ours among them. */
export function clashWith(
  link: VxlanLink,
  others: readonly VxlanLink[],
  isOurs: (device: string) => boolean,
): string | undefined {
  for (const other of others) {
    if (other.name === link.name || other.port !== link.port || isOurs(other.name)) continue
    // Each family has a socket of its own.
    if (familyOf(other.local) !== familyOf(link.local)) continue
    const where = `Backend.Port: ${link.port}`
    if (other.vni === link.vni)
      return `${where}: ${other.name} has VNI ${link.vni} on it: set another Backend.VNI or Port`
    // Devices share the socket of a port, where they want the same settings.
    if (other.up && (other.vni === -1 || other.gbp !== link.gbp))
      return `${where}: ${other.name} uses it in another way${other.vni === -1 ? '' : ' (GBP)'}: set another Backend.Port`
  }
  return undefined
}

/** A program that has the port. While a VXLAN device has it, it is the kernel's, which shares it. */
async function portObstacle(
  link: VxlanLink,
  others: readonly VxlanLink[],
  asked: HostAsked,
): Promise<string | undefined> {
  if (others.some(({ port, up }) => up && port === link.port)) return undefined
  return lackOf({ type: 'udp-port', key: 'Backend.Port', port: link.port }, asked)
}

async function foundDevice(kernel: LiveKernel, name: string): Promise<FoundDevice | undefined> {
  const found = await kernel.device(name)
  if (found === undefined) return undefined
  const addresses = [...(await kernel.observe('address', [name])).values()].flatMap((it) =>
    it.kind === 'address' && !it.address.startsWith('fe80:') ? [it.address] : [],
  )
  const routes = [...(await kernel.observe('route', [name])).values()].flatMap((it) =>
    it.kind === 'route' && 'device' in it.target && it.target.device === name && it.protocol !== KERNEL_PROTOCOL
      ? [it]
      : [],
  )
  return { name, type: found.type, mac: found.mac, master: found.master, addresses, routes }
}

/** Protocol number of routes the kernel makes by itself (RTPROT_KERNEL, linux/rtnetlink.h). */
const KERNEL_PROTOCOL = 2

/** What etcd knows is asked only where a device looks like another's. */
async function evidence(
  found: FoundDevice,
  link: Link,
  configuration: Configuration,
  { store, options, externals, hostId, previousSubnets }: ObstacleParts,
): Promise<Parameters<typeof strangersOn>[1]> {
  const networks = valuesOf(configuration.ranges).map(({ network }) => network)
  const plain = {
    type: link.type,
    networks,
    previousSubnets: valuesOf(previousSubnets),
    isOurMac: (): boolean => false,
  }
  if (strangersOn(found, plain) === undefined || found.mac === undefined) return plain
  const published = await publishedMacs(store, `${options.etcdPrefix}/subnets/`, found.mac)
  const madeUp = mapFamilies(configuration.ranges, ({ network }, family) => {
    const [external, subnet] = [inFamily(externals, family), inFamily(previousSubnets, family)]
    if (external === undefined || subnet === undefined) return ''
    return madeUpBy(configuration.own, network, subnet, external, hostId)
  })
  return { ...plain, isOurMac: (mac) => published || valuesOf(madeUp).some((data) => data.includes(mac)) }
}

/** Whether a lease of ours, in whatever words its backend has, says this MAC. */
async function publishedMacs(store: Store, folder: string, mac: Mac): Promise<boolean> {
  const { entries } = await store.range(folder)
  return entries.some(({ value }) => value.toString().toLowerCase().includes(mac))
}

/** What this host would publish of a device that had no MAC yet. */
function madeUpBy(
  { backend, config }: { readonly backend: AnyBackend; readonly config: unknown },
  ...[network, subnet, external, hostId]: Parameters<typeof selfOf>
): string {
  return JSON.stringify(backend.leaseData({ ...selfOf(network, subnet, external, hostId), config }) ?? {})
}
