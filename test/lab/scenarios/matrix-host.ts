// Hosts for the matrix of backends: each runs the daemon and holds a container with an address in every family of the network.
import type { Family } from '../../../src/ip/address.ts'
import { type SubnetEnv, startFlanneld, waitForSubnetEnv } from '../actors/flanneld.ts'
import { type PingReport, type Pings, startPings } from '../instruments/ping.ts'
import { waitFor } from '../instruments/wait.ts'
import { type Container, createContainer } from '../world/container.ts'
import { type EtcdHost, startEtcd } from '../world/etcd.ts'
import { bootGuest } from '../world/guest.ts'
import { type Lan, createLab } from '../world/lab.ts'
import { ARGS, PREFIX } from '../world/network.ts'
import type { Running } from '../world/process.ts'
import type { Owner, Place } from '../world/space.ts'
import type { Kernel, Lease, Row } from './matrix-row.ts'

/** The network of each family. */
const NETWORKS: Readonly<Record<Family, string>> = { 4: '10.2.0.0/16', 6: 'fd00:10:2::/48' }

/** A host of this machine's kernel or of another. */
export interface Machine extends Place {
  readonly address: string
  readonly address6: string
}

/** A host without a daemon of ours yet. */
export interface Taken {
  readonly host: Machine
  /** "10.2.21.0/24" and "fd00:10:2:15::/64". */
  readonly subnets: Readonly<Partial<Record<Family, string>>>
  readonly container: Container
}

export interface MatrixHost extends Taken {
  daemon: Running
}

/** Etcd and a LAN, and what hosts of a row are made with. */
export interface Ground {
  readonly owner: Owner
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly row: Row
  readonly kernel: Kernel
}

/** Keeps hosts from choosing the subnets that Go's flanneld is said to have leased. */
const MOST = { 4: { SubnetMax: '10.2.254.0' }, 6: { IPv6SubnetMax: 'fd00:10:2:fe::' } } as const

/** The network config of a row; `most` limits the range that hosts choose from. */
export function configOf(row: Pick<Row, 'families' | 'type' | 'options'>, most: typeof MOST | object = MOST): object {
  const { families, type, options } = row
  const limit = (family: Family): object => (most as Partial<Record<Family, object>>)[family] ?? {}
  return {
    ...(families.includes(4) ? { Network: NETWORKS[4], ...limit(4) } : { EnableIPv4: false }),
    ...(families.includes(6) ? { EnableIPv6: true, IPv6Network: NETWORKS[6], ...limit(6) } : {}),
    Backend: { Type: type, ...options },
  }
}

export async function prepareGround(owner: Owner, row: Row, kernel: Kernel): Promise<Ground> {
  const lab = await createLab(owner)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure(configOf(row))
  return { owner, lan, etcd, row, kernel }
}

/** A machine of the ground's kernel, made ready for the row. */
export async function machineAt({ owner, lan, row, kernel }: Ground, last: number): Promise<Machine> {
  const host = kernel === 'this' ? await lan.host(last) : await bootGuest(owner, lan, last, kernel)
  await host.run(row.prepare)
  return host
}

/** Hosts .121 and .122, each with a daemon and a container; all containers reach all others in every family. */
export async function createPair(ground: Ground): Promise<readonly [MatrixHost, MatrixHost]> {
  const [a, b] = await Promise.all([joinHost(ground, 121), joinHost(ground, 122)])
  await reachEachOther(a, b)
  return [a, b]
}

export async function joinHost(ground: Ground, last: number): Promise<MatrixHost> {
  const host = await machineAt(ground, last)
  const daemon = await startDaemon(host, ground.row)
  const env = await waitForSubnetEnv(host, daemon)
  return { ...(await withContainer(host, env)), daemon }
}

export function startDaemon(host: Machine, { args }: Row): Promise<Running> {
  return startFlanneld(host, `${ARGS} ${args}`)
}

/** A container in the leased subnets. */
export async function withContainer(host: Machine, env: SubnetEnv): Promise<Taken> {
  const container = await createContainer(host, env)
  const subnet = (gateway: string, zero: string): string => gateway.replace(/1\//, `${zero}/`)
  const [ipv4, ipv6] = [env['FLANNEL_SUBNET'], env['FLANNEL_IPV6_SUBNET']]
  const subnets = {
    ...(ipv4 === undefined ? {} : { 4: subnet(ipv4, '0') }),
    ...(ipv6 === undefined ? {} : { 6: subnet(ipv6, '') }),
  }
  return { host, subnets, container }
}

/** The addresses of a container, one a family. */
function addressesOf({ container: { address, address6 } }: Taken): readonly string[] {
  return [...new Set([address, address6])].filter((it) => it !== '')
}

/** Waits until each container has answered the other in every family. */
export async function reachEachOther(a: Taken & Partial<MatrixHost>, b: Taken & Partial<MatrixHost>): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const address of addressesOf(to)) {
      const answered = async (): Promise<boolean> =>
        (await from.container.run(`ping -c 1 -W 1 ${address} || true`)).includes(' 0% packet loss')
      await waitFor(`${from.host.name} to ${address}`, answered).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${a.daemon?.output() ?? ''}\n${b.daemon?.output() ?? ''}`)
      })
    }
  }
}

/** Milliseconds between two pings of one kernel: what an emulated one can do beside its work. */
const BETWEEN = { this: 8, other: 40 } as const

/** Pings between the containers, both ways, in every family. */
export async function pingEachOther({ kernel }: Ground, a: Taken, b: Taken): Promise<readonly Pings[]> {
  const between = kernel === 'this' ? BETWEEN.this : BETWEEN.other
  const all = await Promise.all([
    ...addressesOf(b).map((address) => startPings(a.container, address, between)),
    ...addressesOf(a).map((address) => startPings(b.container, address, between)),
  ])
  await more(all, 5)
  return all
}

/** Waits until each has had so many more answers. */
export async function more(all: readonly Pings[], count: number): Promise<void> {
  const before = all.map((pings) => pings.received())
  for (const [at, pings] of all.entries()) {
    await waitFor('more pings', () => pings.received() > (before[at] ?? 0) + count)
  }
}

export async function stopPings(all: readonly Pings[]): Promise<PingReport> {
  await more(all, 20)
  const reports = await Promise.all(all.map((pings) => pings.stop()))
  return {
    sent: reports.reduce((sum, { sent }) => sum + sent, 0),
    received: reports.reduce((sum, { received }) => sum + received, 0),
    lost: reports.reduce((sum, { lost }) => sum + lost, 0),
    longestGap: Math.max(...reports.map(({ longestGap }) => longestGap)),
  }
}

/** The lease of a host, as etcd holds it. */
export async function leaseOf({ etcd }: Ground, host: Machine): Promise<Lease> {
  const text = await etcd.etcdctl(`get --prefix --print-value-only ${PREFIX}/subnets/`)
  const leases = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Lease)
  const own = leases.find((lease) => lease['PublicIP'] === host.address || lease['PublicIPv6'] === host.address6)
  if (own === undefined) throw new Error(`no lease of ${host.address} in ${text}`)
  return own
}
