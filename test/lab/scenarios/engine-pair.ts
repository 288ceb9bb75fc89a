// Two hosts on one kind of engine, joined by flanneld: one has its containers on docker0, the other on a user-defined
// bridge; next to them a neighbour on the LAN that is no peer.
import type { ExecutionContext } from 'ava'
import { serveHttp } from '../instruments/reach.ts'
import type { Container } from '../world/container.ts'
import { type Docker, startDocker } from '../world/docker.ts'
import { type EngineVersion, installEngine } from '../world/engines.ts'
import { waitForSubnetEnv } from '../actors/flanneld.ts'
import { type Host, type Lab, createLab } from '../world/lab.ts'
import type { Running } from '../world/process.ts'
import { type Prefix, prefixOf } from '../../../src/ip/prefix.ts'
import { address } from '../../fake/values.ts'
import { waitFor } from '../instruments/wait.ts'
import { ARGS, PREFIX } from '../world/network.ts'
import { type EtcdHost, startEtcd } from '../world/etcd.ts'

/** How a host keeps its rules: its iptables, and whether flanneld has nftables tables of its own. */
export const FIREWALLS = ['iptables-nft', 'iptables-legacy', 'EnableNFTables'] as const
export type FirewallKind = (typeof FIREWALLS)[number]

/** How packets get from host to host. */
export const BACKENDS = {
  vxlan: { Type: 'vxlan' },
  DirectRouting: { Type: 'vxlan', DirectRouting: true },
  'host-gw': { Type: 'host-gw' },
} as const
export type BackendName = keyof typeof BACKENDS

/** A host with its engine, its flanneld and a container that serves and publishes port 5000 as 8080. */
export interface EngineHost {
  readonly host: Host
  readonly container: Container
  readonly docker: Docker
  readonly flanneld: Running
}

/** Both, and what is around. */
export interface EnginePair {
  readonly lab: Lab
  readonly etcd: EtcdHost
  /** On docker0; its dockerd is started after flanneld. */
  a: EngineHost
  /** On the network `flannel`, made by `flanneld docker-network`; its dockerd was there before flanneld. */
  b: EngineHost
  readonly neighbour: Host
  /** Changes the network's config, live, and waits until both hosts route so. */
  backend(name: BackendName): Promise<void>
  /** Restarts flanneld on both with these flags. */
  restart(flags: string): Promise<void>
}

/** Makes a pair on backend vxlan, without -ip-masq. */
export async function createEnginePair(
  t: ExecutionContext,
  version: EngineVersion,
  firewall: FirewallKind,
): Promise<EnginePair> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const configure = (name: BackendName): Promise<void> =>
    etcd.configure({
      Network: '10.2.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd00:2::/48',
      EnableNFTables: firewall === 'EnableNFTables',
      Backend: BACKENDS[name],
    })
  await configure('vxlan')
  const variant = firewall === 'iptables-legacy' ? 'legacy' : 'nft'
  const [hostA, hostB, neighbour] = await Promise.all([
    lan.host(121).then((host) => installEngine(host, version, variant)),
    lan.host(122).then((host) => installEngine(host, version, variant)),
    lan.host(123),
  ])
  // What dockerd does where it is the first to turn forwarding on; engines before 27 leave IPv6 alone.
  for (const host of [hostA, hostB])
    await host.run(`iptables -P FORWARD DROP; ${version === '28.5' ? 'ip6tables -P FORWARD DROP' : ''}`)
  const dockerB = await startDocker(lab, hostB, '')
  const [flanneldA, flanneldB] = [await startDaemon(hostA, ''), await startDaemon(hostB, '')]
  const dockerA = await startDocker(lab, hostA, await dockerOptions(hostA))
  await hostB.run('flanneld docker-network')
  const flags = '--stop-signal=KILL -p 8080:5000'
  const [aa, bb] = [await dockerA.container('aa', flags), await dockerB.container('bb', `--network flannel ${flags}`)]
  await Promise.all([aa, bb, neighbour].map((place) => serveHttp(place)))
  // The neighbour sends to containers by way of their hosts.
  for (const [host, { address, address6 }] of [
    [hostA, aa],
    [hostB, bb],
  ] as const)
    await neighbour.run(`ip route add ${subnetOf(address)} via ${host.address}
      ip route add ${subnetOf(address6)} via ${host.address6}`)
  const made: EnginePair = {
    lab,
    etcd,
    neighbour,
    a: { host: hostA, container: aa, docker: dockerA, flanneld: flanneldA },
    b: { host: hostB, container: bb, docker: dockerB, flanneld: flanneldB },
    async backend(name) {
      await configure(name)
      await waitForBackend(made, name)
    },
    async restart(flags) {
      await Promise.all([made.a, made.b].map((side) => side.flanneld.stop()))
      made.a = { ...made.a, flanneld: await startDaemon(made.a.host, flags) }
      made.b = { ...made.b, flanneld: await startDaemon(made.b.host, flags) }
    },
  }
  return made
}

/** Waits until both leases are of this backend and both hosts route so. */
async function waitForBackend({ etcd, a, b }: EnginePair, name: BackendName): Promise<void> {
  await waitFor(`leases of ${name}`, async () => {
    const leases = await etcd.etcdctl(`get --prefix ${PREFIX}/subnets/`)
    return leases.match(new RegExp(`"BackendType":"${BACKENDS[name].Type}"`, 'g'))?.length === 2
  })
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const { address, address6 } = to.container
    for (const [ip, tunnel, container] of [
      ['ip', 'flannel.1', address],
      ['ip -6', 'flannel-v6.1', address6],
    ] as const) {
      const device = name === 'vxlan' ? tunnel : 'enp0s3'
      const route = `${ip} route show ${subnetOf(container)}`
      const routed = async (): Promise<boolean> => (await from.host.run(route)).includes(`dev ${device} `)
      await waitFor(`${from.host.name}: ${route}: ${name}`, routed)
    }
  }
}

/** Restarts dockerd of docker0 with the options of now, its container with it. */
export async function restartDocker({ lab, a }: EnginePair): Promise<EngineHost> {
  await a.docker.daemon.stop()
  const docker = await startDocker(lab, a.host, await dockerOptions(a.host))
  await a.host.run('docker start aa')
  await serveHttp(a.container)
  return { ...a, docker }
}

/** What `flanneld docker-opts` has dockerd started with. */
async function dockerOptions(host: Host): Promise<string> {
  return host.run(
    'flanneld docker-opts -c -d /run/docker_opts.env && . /run/docker_opts.env && echo $DOCKER_OPTS | tr -d "\\n"',
  )
}

async function startDaemon(host: Host, flags: string): Promise<Running> {
  // What comes out of the tunnel is counted there: no probes.
  const daemon = await host.spawn(`flanneld ${ARGS} -probe-interval=0 ${flags}`)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready: subnet\.env is written/)
  return daemon
}

/** "10.2.21.0/24" of 10.2.21.2, "fd00:2:0:21::/64" of fd00:2:0:21::2. */
export function subnetOf(text: string): Prefix {
  return prefixOf(address(text), text.includes(':') ? 64 : 24)
}
