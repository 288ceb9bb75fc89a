// What a backend needs of this host (Backend.requires), checked for real before anything is touched.
// Invariant: reads only; a port is bound, and a file opened, for a moment.
import { createSocket } from 'node:dgram'
import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Requirement } from '../backend.ts'
import { charonPorts } from '../helpers/charon/program.ts'
import { forwarderPort } from '../helpers/forwarder.ts'
import type { Family } from '../ip/address.ts'
import { driverOf } from '../kernel/links/drivers.ts'
import { DEVICE_NAMES, TUN_DEVICE } from '../kernel/flannel-link.ts'
import type { LiveKernel } from '../kernel/live.ts'

/** What is asked. */
export interface HostAsked {
  readonly kernel: Pick<LiveKernel, 'hasLinkType' | 'observe' | 'wireguardProgram'>
  /** `Backend.Type` of the config. */
  readonly type: string
  readonly family: Family
  /** The folders in which programs are looked for, as in PATH. */
  readonly path: string
}

/** Why this host does not have what a backend needs: key, value, rule and what to do; undefined when it has it. Throws KernelError. */
export async function lackOf(requirement: Requirement, asked: HostAsked): Promise<string | undefined> {
  switch (requirement.type) {
    case 'link':
      return lackOfLink(requirement, asked)
    case 'udp-port':
      return lackOfPort(requirement, asked)
    case 'file':
      return lackOfFile(requirement.path, `${requirement.key}: ${requirement.path}`, requirement.fix)
    case 'program':
      return lackOfProgram(requirement, asked)
  }
}

async function lackOfLink(
  { key, link }: Extract<Requirement, { type: 'link' }>,
  { kernel, type }: HostAsked,
): Promise<string | undefined> {
  const program = kernel.wireguardProgram
  if (link === 'wireguard' && program !== undefined) {
    const fix = 'install the package wireguard-go, or correct the path'
    if (!(await isExecutable(program))) return `-wireguard-go: ${program}: is no program: ${fix}`
    return lackOfFile(
      TUN,
      `-wireguard-go: ${TUN}`,
      'load the module with modprobe tun, or give the container the device',
    )
  }
  if ((await kernel.hasLinkType(link)) !== false) return undefined
  return `${key}: ${type}: ${driverOf(link).missing}`
}

/** The device that makes TUN devices (Documentation/networking/tuntap.rst). */
const TUN = '/dev/net/tun'

async function lackOfPort(
  { key, port }: Extract<Requirement, { type: 'udp-port' }>,
  { kernel, family }: HostAsked,
): Promise<string | undefined> {
  if ((await bindError(port, family)) !== 'EADDRINUSE') return undefined
  // A device of ours, or of an earlier run, goes on with it.
  for (const link of (await kernel.observe('link', DEVICE_NAMES)).values())
    if (link.kind === 'link' && 'port' in link && link.port === port) return undefined
  if ((await forwarderPort(TUN_DEVICE)) === port || charonPorts().has(port)) return undefined
  return `${key}: ${port}: in use by another program (ss -ulpn sport = :${port} shows which): stop it, or set another ${key}`
}

/** The errno's name with which this host refuses a UDP port on all addresses; undefined when it is free. */
function bindError(port: number, family: Family): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Sockets of IPv6 would take the port in both families.
    const type = `udp${family}` as const
    const socket = createSocket(type === 'udp6' ? { type, ipv6Only: true } : { type })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      resolve(error.code)
    })
    socket.bind({ port, exclusive: true }, () =>
      socket.close(() => {
        resolve(undefined)
      }),
    )
  })
}

async function lackOfFile(path: string, what: string, fix: string): Promise<string | undefined> {
  try {
    await (await open(path, constants.O_RDWR | constants.O_NONBLOCK)).close()
    return undefined
  } catch (error) {
    return `${what}: cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): ${fix}`
  }
}

async function lackOfProgram(
  { key, names, fix }: Extract<Requirement, { type: 'program' }>,
  { type, path }: HostAsked,
): Promise<string | undefined> {
  for (const name of names) {
    const places = name.includes('/') ? [name] : path.split(delimiter).map((folder) => join(folder, name))
    for (const place of places) if (await isExecutable(place)) return undefined
  }
  const named = names.join(' or ')
  const lack = 'is not here or cannot be executed'
  return key === 'Backend.Type'
    ? `${key}: ${type}: needs ${named}, which ${lack}: ${fix}`
    : `${key}: ${named}: ${lack}: ${fix}`
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
