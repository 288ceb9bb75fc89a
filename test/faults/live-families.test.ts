// IPv6 is switched on in the config of a running network, and off again, while containers ping: hosts get a subnet of it beside
// the one they have, in one step in etcd, and IPv4 never notices.
import test from 'ava'
import { subnetEnv } from '../lab/actors/flanneld.ts'
import { errors } from '../lab/instruments/log-lines.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Cluster, IPV6, type Node, createCluster, macOf, networkWith } from '../lab/scenarios/cluster.ts'

test('IPv6 on and off in a running network: subnets kept, no IPv4 packet lost, IPv6 there within seconds', async (t) => {
  const cluster = await createCluster(t, { hosts: 2 })
  const { etcd, nodes } = cluster
  const [a, b] = nodes as [Node, Node]
  const plain = (await etcd.leases()).toSorted()
  const mac = await macOf(a)
  const pings = await Promise.all([
    startPings(a.container, b.container.address),
    startPings(b.container, a.container.address),
  ])

  for (const round of ['first', 'second']) {
    const start = Date.now()
    await etcd.configure(networkWith({}, IPV6))
    await told(cluster, 'IPv6 in subnet.env', async (node) => 'FLANNEL_IPV6_SUBNET' in (await subnetEnv(node.host)))
    const keys = await etcd.leases()
    t.is(keys.length, 2, `${round}: one lease a host`)
    for (const key of plain)
      t.true(
        keys.some((each) => each.startsWith(`${key}&fd00:10:2:`)),
        keys.join(),
      )
    await told(cluster, 'the route by IPv6', async ({ host }) =>
      /fd00:10:2:\w+::\/64 via \S+ dev flannel-v6\.1/.test(await host.run('ip -6 route')),
    )
    const [addressA, addressB] = [await giveIpv6(a), await giveIpv6(b)]
    await waitFor('IPv6', async () => (await a.container.run(`ping -c 1 -W 1 ${addressB} || true`)).includes(' 0% p'))
    await waitFor('IPv6', async () => (await b.container.run(`ping -c 1 -W 1 ${addressA} || true`)).includes(' 0% p'))
    const on = Date.now() - start

    await etcd.configure(networkWith({}))
    await told(
      cluster,
      'no IPv6 in subnet.env',
      async (node) => !('FLANNEL_IPV6_SUBNET' in (await subnetEnv(node.host))),
    )
    t.deepEqual((await etcd.leases()).toSorted(), plain, `${round}: the keys of before`)
    await told(cluster, 'no device of IPv6', async ({ host }) => !(await host.run('ip link')).includes('flannel-v6'))
    t.is(await a.host.run('ip -6 route | grep -c fd00:10:2 || true').then((text) => text.trim()), '1', 'docker0 alone')
    await a.host.run('ip -6 addr flush dev docker0 scope global')
    await b.host.run('ip -6 addr flush dev docker0 scope global')
    t.log(`on after ${on} ms`)
  }
  const reports = await Promise.all(pings.map((each) => each.stop()))
  t.deepEqual(
    reports.map(({ lost }) => lost),
    [0, 0],
  )
  t.is(await macOf(a), mac, 'the device of IPv4 is the one of before')
  for (const { daemon } of nodes) t.deepEqual(errors(daemon), [])
  const sent = reports.reduce((sum, each) => sum + each.sent, 0)
  await record({
    fault: 'IPv6 switched on and off in the config',
    promise: 'no IPv4 packet lost, IPv4 subnet kept',
    result: `0 of ${sent} packets lost`,
    test: t.title,
  })
})

async function told({ nodes }: Cluster, what: string, holds: (node: Node) => Promise<boolean>): Promise<void> {
  for (const node of nodes)
    await waitFor(`${what} on ${node.host.name}`, () => holds(node)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${node.daemon.output()}`)
    })
}

/** Gives a node's bridge and container the addresses of its IPv6 subnet, as a restarted dockerd would; the container's. */
async function giveIpv6({ host, container }: Node): Promise<string> {
  const gateway = (await subnetEnv(host))['FLANNEL_IPV6_SUBNET'] ?? ''
  const via = gateway.replace(/\/64$/, '')
  const own = via.replace(/1$/, '2')
  await host.run(`ip addr add ${gateway} dev docker0 nodad`)
  await container.run(
    `ip -6 addr flush dev eth0 scope global; ip addr add ${own}/64 dev eth0 nodad; ip -6 route replace default via ${via}`,
  )
  return own
}
