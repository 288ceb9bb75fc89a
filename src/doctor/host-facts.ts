// Looking at this host: devices, addresses, routes, values under /proc/sys, sockets. Reads only.
import { readFile, readdir, readlink, stat } from 'node:fs/promises'
import { OperatorError, KernelError, messageOf } from '../errors.ts'
import { chooseExternalInterface } from '../host/external-interface.ts'
import { type HostNetwork, type Place, questionsOf } from '../kernel/host-network.ts'
import { wireguardKeyFile } from '../host/wireguard-key.ts'
import { hostId, readMachineId } from '../host/host-id.ts'
import { ownAssociations } from '../kernel/associations.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { KINDS, type KernelState, type Kind } from '../kernel/state.ts'
import { leavesChecksums } from '../netlink/ethtool.ts'
import { openGeneric } from '../netlink/generic.ts'
import { readSubnetEnv } from '../host/subnet-env.ts'
import { type Known, type PublicOptions, valueIn } from './known.ts'
import type { HostFacts, UdpSocket } from './facts.ts'
import { FAMILIES, byFamily, some } from '../ip/by-family.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { lacksIn } from '../obstacles/obstacles.ts'
import type { Family } from '../ip/address.ts'
import type { ExternalInterface } from '../backend.ts'

/** Host-wide values. */
const SYSCTLS = ['net/ipv4/ip_forward', 'net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables']
/** Values of each device, and of `all`, by protocol (ip-sysctl.rst). */
const DEVICE_SYSCTLS: readonly (readonly [protocol: string, ...names: string[]])[] = [
  ['ipv4', 'rp_filter', 'forwarding'],
  ['ipv6', 'forwarding', 'disable_ipv6', 'accept_ra'],
]

/**
 * Looks. `tunnels` names devices whose entries are of interest; the external interface and docker0 are anyway. `places` are
 * those that the daemon works or worked with.
 */
export async function readHostFacts(
  kernel: LiveKernel,
  options: PublicOptions,
  tunnels: readonly string[],
  places: readonly Place[],
): Promise<HostFacts> {
  const network = await kernel.readHost(questionsOf(options))
  const externals = chosenInterfaces(network, options, places)
  const uplinks = uplinksOf(externals)
  const devices = [...tunnels, ...uplinks, 'docker0'].filter((name) => network.links.some((link) => link.name === name))
  const states = new Map<Kind, KernelState>()
  for (const kind of KINDS) states.set(kind, await kernel.observe(kind, tunnels))
  // One id for all families, as in the daemon: that of the interface of the first.
  const [first] = FAMILIES.flatMap((family) => valueIn(externals[family]) ?? [])
  return {
    hostId: first === undefined ? '' : hostId(await readMachineId(), first.mac, first.address),
    network,
    externals,
    kernel: states,
    sysctls: await readSysctls(devices),
    vxlan: await hasVxlan(kernel),
    // By the config, which is read later.
    lacks: { unknown: 'not read' },
    keyFile: await readKeyFile(),
    handshakes: new Map(),
    associations: await known(ownAssociations),
    udpSockets: await readUdpSockets(),
    checksumOffload: await readOffload(network.links.filter(({ name }) => [...tunnels, ...uplinks].includes(name))),
    subnetEnv: await known(() => readSubnetEnv(options.subnetFile)),
  }
}

/** The interface of each family, or why there is none; one of `places` before any other. */
export function chosenInterfaces(
  network: HostNetwork,
  options: PublicOptions,
  places: readonly Place[],
): HostFacts['externals'] {
  const choose = (family: Family): Known<ExternalInterface> => {
    const chosen = chooseExternalInterface(network, options, family, places)
    return chosen instanceof OperatorError ? { unknown: chosen.message } : { value: chosen }
  }
  return { 4: choose(4), 6: choose(6) }
}

/** The names of these interfaces. */
export function uplinksOf(externals: HostFacts['externals']): readonly string[] {
  return [...new Set(FAMILIES.flatMap((family) => valueIn(externals[family])?.name ?? []))]
}

/** A value, or why it cannot be read. */
export async function known<T>(read: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await read() }
  } catch (error) {
    return { unknown: messageOf(error) }
  }
}

/** Values under /proc/sys that concern forwarding, those of `devices` among them. */
export async function readSysctls(devices: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const ofDevices = ['all', ...devices].flatMap((device) =>
    DEVICE_SYSCTLS.flatMap(([protocol, ...names]) => names.map((name) => `net/${protocol}/conf/${device}/${name}`)),
  )
  const values = new Map<string, string>()
  for (const path of [...SYSCTLS, ...ofDevices]) {
    const text = await readFile(`/proc/sys/${path}`, 'utf8').catch(() => undefined)
    if (text !== undefined) values.set(path, text.trim())
  }
  return values
}

/** What a backend requires and this host does not have; a port of ours is in use while a daemon of ours runs. */
export async function readLacks(
  kernel: LiveKernel,
  configuration: Configuration,
  externals: HostFacts['externals'],
  runs: boolean,
): Promise<Known<readonly string[]>> {
  const found = some(byFamily((family) => valueIn(externals[family])))
  if (found === undefined) return { unknown: 'this host has no interface for it' }
  return known(async () => {
    const lacks = new Set<string>()
    const parts = { kernel, externals: found, hostId: '' }
    for await (const lack of lacksIn(configuration, parts, ({ type }) => type !== 'udp-port' || !runs)) lacks.add(lack)
    return [...lacks]
  })
}

/** The mode alone: what is in it is nobody's business. */
export async function readKeyFile(): Promise<HostFacts['keyFile']> {
  const path = wireguardKeyFile()
  return {
    path,
    mode: await stat(path).then(
      ({ mode }) => mode,
      () => undefined,
    ),
  }
}

/** Whether the kernel has VXLAN. */
export async function hasVxlan(kernel: LiveKernel): Promise<Known<boolean>> {
  const value = await kernel.hasLinkType('vxlan')
  return value === undefined ? { unknown: 'CAP_NET_ADMIN is needed to ask' } : { value }
}

/** Which of these devices leave checksums to the hardware. */
export async function readOffload(
  links: readonly { readonly name: string; readonly index: number }[],
): Promise<ReadonlyMap<string, boolean>> {
  const values = new Map<string, boolean>()
  const generic = openGeneric()
  try {
    for (const { name, index } of links) values.set(name, await leavesChecksums(generic, index))
  } catch (error) {
    // A kernel before 5.7 has no such family; of a device that went meanwhile nothing is known either.
    if (!(error instanceof KernelError)) throw error
  } finally {
    generic.close()
  }
  return values
}

/** Bound sockets of /proc/net/udp and udp6: "0: 00000000:2118 ... uid timeout inode", the port in hex. */
async function readUdpSockets(): Promise<readonly UdpSocket[]> {
  const sockets = new Map<string, { port: number; inode: number }>()
  for (const file of ['/proc/net/udp', '/proc/net/udp6']) {
    const text = await readFile(file, 'utf8').catch(() => '')
    for (const line of text.split('\n').slice(1)) {
      const words = line.trim().split(/\s+/)
      const port = Number.parseInt(words[1]?.split(':')[1] ?? '', 16)
      const inode = Number(words[9])
      if (Number.isInteger(port) && Number.isInteger(inode)) sockets.set(`${port} ${inode}`, { port, inode })
    }
  }
  const owners = await readOwners(
    new Set(Array.from(sockets.values(), ({ inode }) => inode).filter((inode) => inode > 0)),
  )
  return Array.from(sockets.values(), (socket) => ({ ...socket, owner: owners.get(socket.inode) }))
}

/** Whose sockets these are, as far as we may look: the links in /proc/PID/fd say "socket:[inode]". */
async function readOwners(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
  const owners = new Map<number, string>()
  if (inodes.size === 0) return owners
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const fd of fds) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
      const inode = Number(/^socket:\[(\d+)\]$/.exec(target)?.[1])
      if (!inodes.has(inode) || owners.has(inode)) continue
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()
      owners.set(inode, `${name} (pid ${pid})`)
    }
  }
  return owners
}
