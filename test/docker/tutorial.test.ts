// The tutorial, word for word: etcd on 192.168.19.120, flanneld and Docker on .121 and .122, containers that
// reach each other. The numbers in the titles are its steps.
import test, { type ExecutionContext } from 'ava'
import type { Container } from '../lab/world/container.ts'
import { type Docker, startDocker } from '../lab/world/docker.ts'
import { type Host, type Lab, type Lan, createLab } from '../lab/world/lab.ts'
import { startPings } from '../lab/instruments/ping.ts'
import type { Running } from '../lab/world/process.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type SubnetEnv, installSingleFile, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const NETWORK = { Network: '10.2.0.0/16', SubnetLen: 24 }

/** A host of the tutorial with its daemon, up to step 3. */
interface Node {
  readonly host: Host
  readonly daemon: Running
  readonly env: SubnetEnv
  /** "10.2.21" of 10.2.21.1/24. */
  readonly subnet: string
}

/** Steps 1 and 3 on a new host. */
async function join(lan: Lan, last: number): Promise<Node> {
  const host = await lan.host(last)
  await installSingleFile(host)
  const daemon = await host.spawn(`flanneld ${ARGS}`)
  const env = await waitForSubnetEnv(host, daemon)
  return { host, daemon, env, subnet: (env['FLANNEL_SUBNET'] ?? '').replace(/\.1\/24$/, '') }
}

/** Step 5 on a host: Docker on the leased subnet, and a container. */
async function withDocker(lab: Lab, { host }: Node, name: string): Promise<{ docker: Docker; container: Container }> {
  const options = await host.run('. /run/flannel/subnet.env; echo "--bip=$FLANNEL_SUBNET --mtu=$FLANNEL_MTU"')
  const docker = await startDocker(lab, host, options.trim())
  return { docker, container: await docker.container(name) }
}

/** Steps 2 and 3: the network's config, and a daemon on .121 and .122. */
async function twoNodes(t: ExecutionContext, backend: object): Promise<Two> {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ ...NETWORK, Backend: backend })
  const [a, b] = await Promise.all([join(lan, 121), join(lan, 122)])
  // Each has its own route once it knows of the other.
  await waitFor('route on .121', () => routeTo(a, b))
  await waitFor('route on .122', () => routeTo(b, a))
  return { lab, lan, etcd, a, b }
}

interface Two {
  readonly lab: Lab
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly a: Node
  readonly b: Node
}

/** The route on `from` to the subnet of `to`, undefined when there is none. */
async function routeTo(from: Node, to: Node): Promise<string | undefined> {
  const route = (await from.host.run(`ip route show ${to.subnet}.0/24`)).trim()
  return route === '' ? undefined : route
}

/** The addresses a traceroute from a container passes, in order. */
async function hops(from: Container, to: Container): Promise<readonly string[]> {
  const seen = await from.run(`traceroute -n -q 1 -w 2 -m 5 ${to.address}`)
  return Array.from(seen.matchAll(/^ *\d+ +([\d.*]+)/gm), (line) => line[1] ?? '')
}

/** Lines of `bridge fdb` or `ip neigh` that are permanent and unicast. */
async function permanent(node: Node, command: string): Promise<readonly string[]> {
  return (await node.host.run(command)).split('\n').filter((line) => /permanent|PERMANENT/.test(line))
}

/** The link-layer address of flannel.1. */
async function macOf(node: Node): Promise<string> {
  return /link\/ether (\S+)/.exec(await node.host.run('ip link show flannel.1'))?.[1] ?? ''
}

test.serial('tutorial 1 to 5: vxlan: device, route, entries, subnet.env; containers reach each other', async (t) => {
  const { lab, etcd, a, b } = await twoNodes(t, { Type: 'vxlan' })

  t.deepEqual(a.env, {
    FLANNEL_NETWORK: '10.2.0.0/16',
    FLANNEL_SUBNET: `${a.subnet}.1/24`,
    FLANNEL_MTU: '1450',
    FLANNEL_IPMASQ: 'false',
  })
  t.deepEqual(
    [...(await etcd.leases())].sort(),
    [`${a.subnet}.0-24`, `${b.subnet}.0-24`].sort(),
    'a lease per host and no more',
  )
  for (const [own, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    const device = await own.host.run('ip -d addr show flannel.1')
    t.regex(device, /mtu 1450/)
    t.regex(device, new RegExp(`inet ${own.subnet}\\.0/32`))
    t.regex(device, /vxlan id 1 local 192\.168\.19\.12[12] dev enp0s3 .*dstport 8472 .*nolearning/)
    t.regex((await routeTo(own, peer)) ?? '', new RegExp(`via ${peer.subnet}\\.0 dev flannel\\.1 .*onlink`))
    const mac = await macOf(peer)
    const neighbors = await waitFor('one neighbour', async () => {
      const found = await permanent(own, 'ip neigh show dev flannel.1')
      return found.length === 1 && found
    })
    t.regex(neighbors[0] ?? '', new RegExp(`^${peer.subnet}\\.0 lladdr ${mac} PERMANENT`))
    const entries = await permanent(own, 'bridge fdb show dev flannel.1')
    t.is(entries.length, 1)
    t.regex(entries[0] ?? '', new RegExp(`^${mac} dst ${peer.host.address} self permanent`))
  }

  const [{ container: ca }, { container: cb }] = await Promise.all([withDocker(lab, a, 'aa'), withDocker(lab, b, 'bb')])
  t.true(ca.address.startsWith(`${a.subnet}.`) && cb.address.startsWith(`${b.subnet}.`))
  await ca.run(`ping -c 3 -W 2 ${cb.address}`)
  await cb.run(`ping -c 3 -W 2 ${ca.address}`)
  t.deepEqual(await hops(ca, cb), [`${a.subnet}.1`, `${b.subnet}.0`, cb.address])

  t.deepEqual((await a.daemon.stop('SIGTERM', 60_000)).code, 0)
  await ca.run(`ping -c 3 -W 2 ${cb.address}`)
})

test.serial('tutorial 6: host-gw: routes by the peers on enp0s3, MTU 1500, no flannel.1', async (t) => {
  const { lab, a, b } = await twoNodes(t, { Type: 'host-gw' })
  t.is(a.env['FLANNEL_MTU'], '1500')
  t.regex((await routeTo(a, b)) ?? '', /via 192\.168\.19\.122 dev enp0s3/)
  t.regex((await routeTo(b, a)) ?? '', /via 192\.168\.19\.121 dev enp0s3/)
  await t.throwsAsync(a.host.run('ip link show flannel.1'), { message: /does not exist/ })
  const [{ container: ca }, { container: cb }] = await Promise.all([withDocker(lab, a, 'aa'), withDocker(lab, b, 'bb')])
  await ca.run(`ping -c 3 -W 2 -s 1472 ${cb.address}`)
  t.deepEqual(await hops(ca, cb), [`${a.subnet}.1`, b.host.address, cb.address])
})

test.serial('tutorial 6: DirectRouting: direct within a network, VXLAN across a router', async (t) => {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  await lab.router(near, far)
  const etcd = await startEtcd(near)
  await etcd.configure({ ...NETWORK, Backend: { Type: 'vxlan', DirectRouting: true } })
  const [a, b, c] = await Promise.all([join(near, 121), join(near, 122), join(far, 123)])
  t.regex(await waitFor('route to the neighbour', () => routeTo(a, b)), /via 192\.168\.19\.122 dev enp0s3/)
  t.regex(await waitFor('route across the router', () => routeTo(a, c)), /via 10\.2\.\d+\.0 dev flannel\.1/)
  await waitFor('routes back', async () => (await routeTo(b, a)) && (await routeTo(c, a)))
  const [{ container: ca }, { container: cb }, { container: cc }] = await Promise.all([
    withDocker(lab, a, 'aa'),
    withDocker(lab, b, 'bb'),
    withDocker(lab, c, 'cc'),
  ])
  await ca.run(`ping -c 3 -W 2 ${cb.address}`)
  await ca.run(`ping -c 3 -W 2 ${cc.address}`)
  t.deepEqual(await hops(ca, cb), [`${a.subnet}.1`, b.host.address, cb.address])
  t.deepEqual(await hops(ca, cc), [`${a.subnet}.1`, `${c.subnet}.0`, cc.address])
})

test.serial(
  'tutorial 7: a third host joins, one leaves by deletion and one by expiry: the others follow',
  async (t) => {
    const { lab, lan, etcd, a, b } = await twoNodes(t, { Type: 'vxlan' })
    const [{ container: ca }, { container: cb }] = await Promise.all([
      withDocker(lab, a, 'aa'),
      withDocker(lab, b, 'bb'),
    ])
    const pings = await startPings(a.host, cb.address)

    const c = await join(lan, 123)
    await waitFor('a route on .121 to the third host', () => routeTo(a, c))
    await waitFor('a route on .122 to the third host', () => routeTo(b, c))
    const { container: cc } = await withDocker(lab, c, 'cc')
    await Promise.all([ca.run(`ping -c 1 -W 2 ${cc.address}`), cb.run(`ping -c 1 -W 2 ${cc.address}`)])

    await c.daemon.stop()
    await etcd.etcdctl(`del ${PREFIX}/subnets/${c.subnet}.0-24`)
    const gone = async (node: Node): Promise<boolean> =>
      (await routeTo(node, c)) === undefined &&
      !(await node.host.run('ip neigh show dev flannel.1; bridge fdb show dev flannel.1')).includes(c.host.address)
    await waitFor('.121 to forget the third host', () => gone(a))
    await waitFor('.122 to forget the third host', () => gone(b))

    // A lease that is no longer kept alive: one of two seconds stands for the day that a daemon's lasts.
    const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 2'))?.[1] ?? ''
    const value = {
      PublicIP: c.host.address,
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:03' },
    }
    await etcd.run(`etcdctl put --lease=${id} ${PREFIX}/subnets/${c.subnet}.0-24`, JSON.stringify(value))
    await waitFor('a route by the short lease', () => routeTo(a, c))
    await waitFor('etcd to let it expire', async () => !(await etcd.leases()).includes(`${c.subnet}.0-24`))
    await waitFor('.121 to forget the expired host', () => gone(a))
    await waitFor('.122 to forget the expired host', () => gone(b))

    const report = await pings.stop()
    t.true(report.sent > 100)
    t.is(report.lost, 0, 'the two that stayed never lost a packet')
  },
)
