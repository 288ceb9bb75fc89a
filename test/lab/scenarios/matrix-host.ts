// Hosts for the matrix of backends: each runs the daemon and holds a container with an address in every family of the network.
import type { ExecutionContext } from 'ava'
import type { Family } from '../../../src/ip/address.ts'
import { startFlanneld, waitForSubnetEnv, type SubnetEnv } from '../actors/flanneld.ts'
import { type PingReport, type Pings, startPings } from '../instruments/ping.ts'
import { waitFor } from '../instruments/wait.ts'
import { type EtcdHost, startEtcd } from '../world/etcd.ts'
import { createLab, type Host, type Lan } from '../world/lab.ts'
import { ARGS, PREFIX } from '../world/network.ts'
import { start, type Running } from '../world/process.ts'
import { placeOf, type Place } from '../world/space.ts'
import type { Lease, Row } from './matrix-row.ts'

/** The network of each family. */
export const NETWORKS: Readonly<Record<Family, string>> = { 4: '10.2.0.0/16', 6: 'fd00:10:2::/48' }

/** A host without a daemon of ours yet. */
export interface Taken {
  readonly host: Host
  readonly env: SubnetEnv
  /** "10.2.21.0/24" and "fd00:10:2:15::/64". */
  readonly subnets: Readonly<Partial<Record<Family, string>>>
  readonly container: Place
  /** Of the container. */
  readonly addresses: Readonly<Partial<Record<Family, string>>>
}

export interface MatrixHost extends Taken {
  daemon: Running
}

/** Etcd and a LAN, and what hosts of a row are made with. */
export interface Ground {
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly row: Row
}

/** The network config of a row. */
export function configOf({ families, type, options }: Pick<Row, 'families' | 'type' | 'options'>): object {
  return {
    ...(families.includes(4) ? { Network: NETWORKS[4] } : { EnableIPv4: false }),
    ...(families.includes(6) ? { EnableIPv6: true, IPv6Network: NETWORKS[6] } : {}),
    Backend: { Type: type, ...options },
  }
}

export async function prepareGround(t: ExecutionContext, row: Row): Promise<Ground> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure(configOf(row))
  return { lan, etcd, row }
}

/** Hosts .121, .122, each with a daemon and a container; all containers reach all others in every family. */
export async function createPair(ground: Ground): Promise<readonly [MatrixHost, MatrixHost]> {
  const [a, b] = await Promise.all([joinHost(ground, 121), joinHost(ground, 122)])
  await reachEachOther(a, b)
  return [a, b]
}

export async function joinHost({ lan, row }: Ground, last: number): Promise<MatrixHost> {
  const host = await lan.host(last)
  await host.run(row.prepare)
  const daemon = await startDaemon(host, row)
  const env = await waitForSubnetEnv(host, daemon)
  return { ...(await withContainer(host, env)), daemon }
}

export function startDaemon(host: Host, { args }: Row): Promise<Running> {
  return startFlanneld(host, `${ARGS} ${args}`)
}

/** A bridge with the leased subnets, as dockerd makes it, and a container on it. */
export async function withContainer(host: Host, env: SubnetEnv): Promise<Taken> {
  const gateways = [env['FLANNEL_SUBNET'], env['FLANNEL_IPV6_SUBNET']].filter((it) => it !== undefined)
  const mtu = env['FLANNEL_MTU'] ?? ''
  await host.run(`set -e
    ip link add docker0 type bridge
    sysctl -q -w net.ipv6.conf.docker0.accept_dad=0
    ip link set docker0 mtu ${mtu} up
    ip netns add c2
    ip link add vc2 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns c2
    ip link set vc2 master docker0 up
    ip netns exec c2 sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
    ip -n c2 link set lo up
    ip -n c2 link set eth0 up`)
  const enter = [
    'nsenter',
    '-t',
    String(host.pid),
    '-n',
    '-m',
    '-p',
    '-u',
    '-i',
    'ip',
    'netns',
    'exec',
    'c2',
    'sh',
    '-c',
  ]
  const addresses: Partial<Record<Family, string>> = {}
  const subnets: Partial<Record<Family, string>> = {}
  for (const gateway of gateways) {
    const [first = '', length = ''] = gateway.split('/')
    const own = first.replace(/1$/, '2')
    const family = first.includes(':') ? 6 : 4
    addresses[family] = own
    subnets[family] = `${first.replace(/1$/, family === 4 ? '0' : '')}/${length}`
    await host.run(`set -e
      ip addr add ${gateway} dev docker0
      ip -n c2 addr add ${own}/${length} dev eth0
      ip -n c2 -${family} route add default via ${first}`)
  }
  const container = placeOf(`${host.name}/c2`, (command, stdin) => start([...enter, command], true, stdin))
  return { host, env, subnets, container, addresses }
}

/** Waits until each container has answered the other in every family. */
export async function reachEachOther(a: Taken & Partial<MatrixHost>, b: Taken & Partial<MatrixHost>): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const address of Object.values(to.addresses)) {
      const answered = async (): Promise<boolean> =>
        (await from.container.run(`ping -c 1 -W 1 ${address} || true`)).includes(' 0% packet loss')
      await waitFor(`${from.host.name} to ${address}`, answered).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${a.daemon?.output() ?? ''}\n${b.daemon?.output() ?? ''}`)
      })
    }
  }
}

/** Pings between the containers, both ways, in every family. */
export async function pingEachOther(a: Taken, b: Taken): Promise<readonly Pings[]> {
  const all = await Promise.all([
    ...Object.values(b.addresses).map((address) => startPings(a.container, address)),
    ...Object.values(a.addresses).map((address) => startPings(b.container, address)),
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
export async function leaseOf({ etcd }: Ground, host: Host): Promise<Lease> {
  const text = await etcd.etcdctl(`get --prefix --print-value-only ${PREFIX}/subnets/`)
  const leases = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Lease)
  const own = leases.find((lease) => lease['PublicIP'] === host.address || lease['PublicIPv6'] === host.address6)
  if (own === undefined) throw new Error(`no lease of ${host.address} in ${text}`)
  return own
}
