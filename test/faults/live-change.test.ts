// The network's config is edited while containers ping: backends of hosts on one LAN change without losing a packet.
import test, { type ExecutionContext } from 'ava'
import {
  type Cluster,
  type Node,
  createCluster,
  macOf,
  networkWith,
  waitUntilReached,
} from '../lab/scenarios/cluster.ts'
import { errors } from '../lab/instruments/log-lines.ts'
import { subnetEnv } from '../lab/actors/flanneld.ts'
import { type PingReport, type Pings, startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { PREFIX } from '../lab/world/network.ts'

/** Docker's own policy: what is not let through by a rule is lost. */
const DROP = { prepare: ({ run }: { run(script: string): Promise<string> }) => run('iptables -P FORWARD DROP') }

/** What changed backends look like from outside. */
interface Way {
  readonly backend: object
  /** Of the route to a peer. */
  readonly route: RegExp
}

const VXLAN: Way = { backend: {}, route: /dev flannel\.1 / }
const HOST_GW: Way = { backend: { Type: 'host-gw' }, route: /via 192\.168\.19\.\d+ dev enp0s3/ }
const DIRECT: Way = { backend: { DirectRouting: true }, route: /via 192\.168\.19\.\d+ dev enp0s3/ }

/** Pings between all containers, both ways. */
async function pingAll(nodes: readonly Node[]): Promise<readonly Pings[]> {
  const pairs = nodes.flatMap((from) => nodes.flatMap((to) => (from === to ? [] : [[from, to] as const])))
  const all = await Promise.all(pairs.map(([from, to]) => startPings(from.container, to.container.address)))
  for (const pings of all) await waitFor('pings', () => pings.received() > 5)
  return all
}

/** Waits for some more answers of each, and ends them. */
async function stopAll(all: readonly Pings[]): Promise<readonly PingReport[]> {
  const before = all.map((pings) => pings.received())
  for (const [i, pings] of all.entries()) await waitFor('more pings', () => pings.received() > (before[i] ?? 0) + 20)
  return Promise.all(all.map((pings) => pings.stop()))
}

/** Whether all routes of `from` to peers look so. */
async function routed(from: Node, nodes: readonly Node[], route: RegExp): Promise<boolean> {
  const routes = await from.host.run('ip route show proto 142')
  const lines = routes.split('\n').filter((line) => line.startsWith('10.2.'))
  return lines.length === nodes.length - 1 && lines.every((line) => route.test(line))
}

/** Edits the config and waits until all nodes have gone over; how long that took. */
async function change({ etcd, nodes }: Cluster, { backend, route }: Way): Promise<number> {
  const start = Date.now()
  await etcd.configure(networkWith(backend))
  for (const node of nodes) {
    await waitFor(`routes of ${node.subnet}`, () => routed(node, nodes, route)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${node.daemon.output()}`)
    })
  }
  return Date.now() - start
}

/** What a loss was, for the table. */
function summary(reports: readonly PingReport[]): { readonly lost: number; readonly gap: number } {
  return {
    lost: reports.reduce((sum, { lost }) => sum + lost, 0),
    gap: Math.max(...reports.map(({ longestGap }) => longestGap)),
  }
}

async function changesWithoutLoss(
  t: ExecutionContext,
  name: string,
  ways: readonly [Way, ...Way[]],
  args = '',
): Promise<void> {
  const cluster = await createCluster(t, { backend: ways[0].backend, args, ...DROP })
  const all = await pingAll(cluster.nodes)
  let ms = 0
  for (const way of [...ways.slice(1), ways[0]]) ms = Math.max(ms, await change(cluster, way))
  const { lost, gap } = summary(await stopAll(all))
  t.is(lost, 0, `longest gap ${gap} ms`)
  for (const { daemon } of cluster.nodes) t.deepEqual(errors(daemon), [])
  await record({ fault: name, promise: 'no packet lost', ms, result: `${lost} packets lost`, test: t.title })
}

test.serial('vxlan to host-gw and back: no packet lost', (t) =>
  changesWithoutLoss(t, 'config: vxlan to host-gw and back', [VXLAN, HOST_GW]),
)

test.serial('host-gw to vxlan and back: no packet lost', (t) =>
  changesWithoutLoss(t, 'config: host-gw to vxlan and back', [HOST_GW, VXLAN]),
)

test.serial('vxlan to host-gw and back through nexthop objects: no packet lost', (t) =>
  changesWithoutLoss(
    t,
    'config: vxlan to host-gw and back, nexthop objects',
    [VXLAN, HOST_GW],
    '-nexthop-objects=always',
  ),
)

test.serial('the device lingers, goes, and is there in time when it is wanted again: no packet lost', async (t) => {
  const cluster = await createCluster(t, DROP)
  const [a, b] = cluster.nodes as [Node, Node]
  const macs = [await macOf(a), await macOf(b)]
  const all = await pingAll(cluster.nodes)
  await change(cluster, HOST_GW)
  for (const { host } of cluster.nodes)
    t.not(await host.run('ip link show type vxlan'), '', 'packets under way still arrive')
  for (const { host } of cluster.nodes) {
    await waitFor('the device to go', async () => (await host.run('ip link show type vxlan')) === '', 60_000)
    await waitFor('the guard to go after it', async () => !/flannel-guard/.test(await host.run('nft list tables')))
  }
  await change(cluster, VXLAN)
  const { lost, gap } = summary(await stopAll(all))
  t.is(lost, 0, `longest gap ${gap} ms`)
  t.deepEqual([await macOf(a), await macOf(b)], macs, 'with the MACs it had')
})

test.serial('DirectRouting on and off: no packet lost', (t) =>
  changesWithoutLoss(t, 'config: DirectRouting on and off', [VXLAN, DIRECT]),
)

for (const [name, backend, sign] of [
  ['Port', { Port: 4789 }, /dstport 4789/],
  ['VNI', { VNI: 7 }, /flannel\.7/],
] as const) {
  test.serial(`${name} changes: forwarding is back`, async (t) => {
    const cluster = await createCluster(t, DROP)
    const all = await pingAll(cluster.nodes)
    for (const next of [backend, {}]) {
      const start = Date.now()
      await cluster.etcd.configure(networkWith(next))
      const pattern = next === backend ? sign : /flannel\.1: .*dstport 8472/
      for (const { host } of cluster.nodes)
        await waitFor('device', async () => pattern.test(await host.run('ip -o -d link show type vxlan')))
      for (const [i, from] of cluster.nodes.entries())
        await waitUntilReached(from, cluster.nodes[1 - i] as Node).catch((error: unknown) => t.fail(String(error)))
      t.log(`${name}: whole after ${Date.now() - start} ms`)
    }
    const { lost, gap } = summary(await stopAll(all))
    const left = await cluster.nodes[0]?.host.run('ip -o link show type vxlan')
    t.is(left?.trim().split('\n').length, 1, 'no device left over')
    const result = `${lost} packets lost in two changes`
    await record({
      fault: `config: ${name} changed`,
      promise: 'forwarding is back within 1 s',
      limit: 1000,
      ms: gap,
      result,
      test: t.title,
    })
  })
}

test.serial('SubnetMin and SubnetMax change: a lease inside them is not touched, new ones keep to them', async (t) => {
  const cluster = await createCluster(t, DROP)
  const [a] = cluster.nodes as [Node]
  const all = await pingAll(cluster.nodes)
  const leases = async (): Promise<string> => (await cluster.etcd.leases()).toSorted().join()
  const before = await leases()
  const { etcd } = cluster
  await etcd.configure({ ...networkWith({}), SubnetMin: '10.2.1.0', SubnetMax: '10.2.254.0' })
  for (const { daemon } of cluster.nodes) await daemon.line(/network config changed/)
  t.is(await leases(), before)
  const { lost } = summary(await stopAll(all))
  t.is(lost, 0)
  t.is((await subnetEnv(a.host))['FLANNEL_SUBNET'], `${a.subnet}.1/24`)
  for (const { daemon } of cluster.nodes) t.deepEqual(errors(daemon), [])
})

test.serial('a bad edit changes nothing and is reported in one line', async (t) => {
  const cluster = await createCluster(t, DROP)
  const [a] = cluster.nodes as [Node]
  const state = (): Promise<string> => a.host.run('ip -d link show flannel.1; ip route; cat /run/flannel/subnet.env')
  const before = await state()
  const all = await pingAll(cluster.nodes)
  const edits: readonly (readonly [string, RegExp])[] = [
    ['{"Network":', /network config/],
    ['{"Network":"10.2.0.0/16","SubnetLen":40}', /SubnetLen/],
    ['{"Network":"10.9.0.0/16"}', /10\.9\.0\.0\/16 does not contain our subnet/],
    ['{"Network":"10.2.0.0/16","SubnetLen":25}', /SubnetLen: 25 differs from our subnet/],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlam"}}', /Backend\.Type: "vxlam".*vxlan/],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","Port":99999}}', /Backend\.Port: 99999/],
  ]
  for (const [i, [text, pattern]] of edits.entries()) {
    await cluster.etcd.run(`etcdctl put ${PREFIX}/config`, text)
    await a.daemon.line(pattern)
    await waitFor('one line each', () => errors(a.daemon).length === i + 1)
    t.regex(errors(a.daemon)[i] ?? '', /keeping/)
  }
  await cluster.etcd.etcdctl(`del ${PREFIX}/config`)
  await a.daemon.line(/config: deleted; keeping the running config/)
  t.is(await state(), before)
  await cluster.etcd.configure(networkWith({}))
  const { lost } = summary(await stopAll(all))
  t.is(lost, 0)
  t.is(errors(a.daemon).length, edits.length + 1)
})

test.serial('hosts before, in and after a change of backend talk to each other', async (t) => {
  const cluster = await createCluster(t, { hosts: 3, ...DROP })
  const [a, b, c] = cluster.nodes as [Node, Node, Node]
  const all = await pingAll(cluster.nodes)
  for (const [way, old] of [
    [HOST_GW, VXLAN],
    [VXLAN, HOST_GW],
  ] as const) {
    c.daemon.kill('SIGSTOP')
    await cluster.etcd.configure(networkWith(way.backend))
    // Each goes the way the peer's lease says: directly to one another, the old way to the third.
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      await waitFor('the new way', async () => way.route.test(await from.host.run(`ip route show ${to.subnet}.0/24`)))
      t.regex(await from.host.run(`ip route show ${c.subnet}.0/24`), old.route)
    }
    for (const pings of all) {
      const seen = pings.received()
      await waitFor('pings in the middle', () => pings.received() > seen + 50)
    }
    c.daemon.kill('SIGCONT')
    for (const node of cluster.nodes) await waitFor('all on the new way', () => routed(node, cluster.nodes, way.route))
  }
  const { lost } = summary(await stopAll(all))
  t.is(lost, 0)
  await record({
    fault: 'config: backend changed while one daemon stands still',
    promise: 'no packet lost',
    result: `${lost} packets lost`,
    test: t.title,
  })
})
