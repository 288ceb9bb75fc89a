// The udp backend: hosts whose packets a program carries between a TUN device and UDP.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { type Node, createCluster, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { createContainer } from '../lab/world/container.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

const UDP = { Type: 'udp' }

test.serial('containers reach each other, and no packet is lost while a daemon restarts or is killed', async (t) => {
  const { nodes } = await createCluster(t, { backend: UDP })
  const [a, b] = nodes as [Node, Node]
  t.is(a.env['FLANNEL_MTU'], '1472')
  const all = await Promise.all([
    startPings(a.container, b.container.address),
    startPings(b.container, a.container.address),
  ])
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await a.daemon.stop(signal)
    const seen = all.map((pings) => pings.received())
    for (const [i, pings] of all.entries()) await waitFor('more pings', () => pings.received() > (seen[i] ?? 0) + 50)
    a.daemon = await startFlanneld(a.host, ARGS)
    await a.daemon.line(/ready: /)
  }
  for (const pings of all) {
    const { lost, longestGap } = await pings.stop()
    t.is(lost, 0, `longest gap ${longestGap} ms\n${a.daemon.output()}`)
  }
  for (const { daemon } of nodes) t.deepEqual(errors(daemon), [])
})

test.serial("a host of Go's flanneld: lease, subnet and env are kept, and traffic flows", async (t) => {
  const { etcd, lan, nodes } = await createCluster(t, { backend: UDP, hosts: 1, first: 122 })
  const [peer] = nodes as [Node]
  const subnet = peer.subnet === '10.2.5' ? '10.2.6' : '10.2.5'
  const id = /lease (\S+) granted/.exec(await etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  // Go's lease of this backend names none.
  const lease = JSON.stringify({ PublicIP: '192.168.19.121', PublicIPv6: null })
  await etcd.run(`etcdctl put --lease=${id} ${PREFIX}/subnets/${subnet}.0-24`, lease)
  const toGo = async (): Promise<boolean> => (await peer.host.run('ip route')).includes(`${subnet}.0/24 via`)
  await waitFor("a route to the host of Go's flanneld", toGo)
  const before = await etcd.leases()

  // No device: Go's is not persistent, and is gone with its process.
  const host = await lan.host(121)
  const env = {
    FLANNEL_NETWORK: '10.2.0.0/16',
    FLANNEL_SUBNET: `${subnet}.1/24`,
    FLANNEL_MTU: '1472',
    FLANNEL_IPMASQ: 'false',
  }
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`)
  await host.run('cat >/run/flannel/subnet.env', lines.join(''))
  const container = await createContainer(host, env)
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/ ready: /)

  const own = { host, env, subnet, container, daemon }
  await waitUntilReached(own, peer)
  await waitUntilReached(peer, own)
  t.deepEqual(await etcd.leases(), before)
  t.true((await etcd.etcdctl(`get ${PREFIX}/subnets/${subnet}.0-24`)).includes('"BackendType":"udp"'))
  t.deepEqual(await waitForSubnetEnv(host, daemon), env)
  t.deepEqual(errors(daemon), [])
})
