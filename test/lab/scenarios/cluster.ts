// Hosts that each run the daemon as built and hold a container: what tests of faults start from.
// Invariant: when createCluster resolves, every container reaches every other.
import { type Container, createContainer } from '../world/container.ts'
import { type SubnetEnv, waitForSubnetEnv, startFlanneld } from '../actors/flanneld.ts'
import { type Host, type Lab, type Lan, createLab } from '../world/lab.ts'
import type { Running } from '../world/process.ts'
import { DEADLINE, waitFor } from '../instruments/wait.ts'
import { ARGS } from '../world/network.ts'
import { type EtcdHost, startEtcd } from '../world/etcd.ts'

/** A host with its daemon and a container. */
export interface Node {
  readonly host: Host
  /** The one that runs now: tests put another in its place. */
  daemon: Running
  readonly env: SubnetEnv
  /** "10.2.21" of 10.2.21.1/24; where there is no IPv4, "fd00:10:2:21:" of fd00:10:2:21::1/64. */
  readonly subnet: string
  readonly container: Container
}

export interface Cluster {
  readonly lab: Lab
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly nodes: readonly Node[]
}

/** How to make a cluster. */
export interface ClusterOptions {
  readonly backend?: object
  /** Further keys of the network's config: IPV6, for example. */
  readonly keys?: object
  /** Further arguments of each daemon. */
  readonly args?: string
  readonly hosts?: number
  /** Last byte of the first host's address, 121 when absent. */
  readonly first?: number
  /** Prepares a host before its daemon starts. */
  readonly prepare?: (host: Host) => Promise<unknown>
  /** What the daemons are started as; the bundle when absent. */
  readonly program?: string
}

/** The network's config with these options of the backend; the upper half is for leases that tests make up. */
export function networkWith(backend: object, keys: object = {}): object {
  const Backend = { Type: 'vxlan', ...backend }
  return { Network: '10.2.0.0/16', SubnetLen: 24, SubnetMax: '10.2.76.0', ...keys, Backend }
}

/** What makes a network one of both families. */
export const IPV6 = { EnableIPv6: true, IPv6Network: 'fd00:10:2::/48' }

/** What makes a network one of IPv6 alone. */
export const IPV6_ALONE = { ...IPV6, EnableIPv4: false }

/** Makes etcd on .120 and hosts .121, .122, ... on one LAN. */
export async function createCluster(
  owner: Parameters<typeof createLab>[0],
  { backend = {}, keys = {}, args = '', hosts = 2, first = 121, prepare, program }: ClusterOptions = {},
): Promise<Cluster> {
  const lab = await createLab(owner)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure(networkWith(backend, keys))
  const join = async (last: number): Promise<Node> => {
    const host = await lan.host(last)
    await prepare?.(host)
    return nodeOn(host, await startFlanneld(host, `${ARGS} ${args}`, program))
  }
  const nodes = await Promise.all(Array.from({ length: hosts }, (_, i) => join(first + i)))
  for (const from of nodes) for (const to of nodes) if (from !== to) await waitUntilReached(from, to)
  return { lab, lan, etcd, nodes }
}

/** A node of a host on which a daemon was started. */
export async function nodeOn(host: Host, daemon: Running): Promise<Node> {
  const env = await waitForSubnetEnv(host, daemon)
  const subnet = (env['FLANNEL_SUBNET'] ?? env['FLANNEL_IPV6_SUBNET'] ?? '').replace(/\.1\/24$|:1\/64$/, '')
  return { host, daemon, env, subnet, container: await createContainer(host, env) }
}

/** Waits until one container reaches another; what both daemons said when it never does. */
export async function waitUntilReached(from: Node, to: Node, deadline = DEADLINE): Promise<void> {
  await waitFor(`${from.subnet} to ${to.subnet}`, () => reaches(from, to), deadline).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${from.daemon.output()}\n${to.daemon.output()}`)
  })
}

/** Whether a container's ping is answered. */
export async function reaches(from: Node, to: Node): Promise<boolean> {
  const answer = await from.container.run(`ping -c 1 -W 1 ${to.container.address} || true`)
  return answer.includes(' 0% packet loss')
}

/** The link-layer address of a device. */
export async function macOf({ host }: Pick<Node, 'host'>, device = 'flannel.1'): Promise<string> {
  return /link\/ether (\S+)/.exec(await host.run(`ip link show ${device}`))?.[1] ?? ''
}
