// The return to Go's flanneld of docs/migrating.md: our daemon leaves nothing that Go's flanneld does not know, and nothing is lost.
import test from 'ava'
import { type Node, createCluster, macOf, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import type { Host } from '../lab/world/lab.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForMorePings } from '../lab/instruments/tcp-streams.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

/** What the document says to run once before the change. */
const PLAIN = '-vxlan-guard=false -nexthop-objects=never -ip-blackhole-route=false'

/** Whatever is ours and unknown to Go; nothing when Go may follow. */
async function ownTraces(host: Host): Promise<string> {
  return host.run(`ip nexthop; ip route show type blackhole; nft list tables | grep guard || true`)
}

/** The calls by which Go's flanneld v0.20.2 enters a peer: each sets, whatever is there. */
async function asGo(host: Host, { subnet, host: { address } }: Node, mac: string): Promise<void> {
  await host.run(`set -e
    ip neigh replace ${subnet}.0 lladdr ${mac} nud permanent dev flannel.1
    bridge fdb replace ${mac} dev flannel.1 dst ${address} self permanent
    ip route replace ${subnet}.0/24 via ${subnet}.0 dev flannel.1 onlink`)
}

test.serial('back to Go: nothing lost, nothing of ours is left, later peers are let in', async (t) => {
  const cluster = await createCluster(t, { args: '-nexthop-objects=always' })
  const [a, b] = cluster.nodes as [Node, Node]
  const { host } = a
  const [mac, env] = [await macOf(a), await subnetEnv(host)]
  t.not(await ownTraces(host), '', 'there is something to leave behind')
  const there = await startPings(a.container, b.container.address)
  const back = await startPings(b.container, a.container.address)
  await waitForMorePings(there, 10)

  await a.daemon.stop()
  const plain = await startFlanneld(host, `${ARGS} ${PLAIN}`)
  await waitForSubnetEnv(host, plain)
  await plain.line(/ ready: /)
  await waitFor('our traces to go', async () => (await ownTraces(host)) === '')
  await waitForMorePings(there, 20)
  t.is((await plain.stop()).code, 0)
  await waitForMorePings(there, 20)

  // Now Go: the device is as it would make it, so it is kept; lease and entries are written over.
  await asGo(host, b, await macOf(b))
  const granted = /lease (\S+) granted/.exec(await cluster.etcd.etcdctl('lease grant 86400'))?.[1] ?? ''
  const value = {
    PublicIP: host.address,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: mac },
  }
  await cluster.etcd.run(`etcdctl put --lease=${granted} ${PREFIX}/subnets/${a.subnet}.0-24`, JSON.stringify(value))
  await waitForMorePings(there, 50)
  t.is(await host.run('ip route show proto 142'), '')
  t.is(await macOf(a), mac)
  t.deepEqual(await subnetEnv(host), env)
  t.notRegex(b.daemon.output(), new RegExp(`peer ${a.subnet.replaceAll('.', '\\.')}\\.0/24 (changed|left)`))

  const third = await cluster.lan.host(123)
  const c = await nodeOn(third, await startFlanneld(third, ARGS))
  await asGo(host, c, await macOf(c))
  await waitUntilReached(c, a)
  const reports = [await there.stop(), await back.stop()]
  for (const { lost, sent } of reports) t.is(lost, 0, `of ${sent} pings`)
  await record({
    fault: 'back to Go (its calls made by hand)',
    promise: 'no packet lost, nothing of ours left',
    result: `${reports[0]?.lost} of ${reports[0]?.sent} packets lost`,
    test: t.title,
  })
})
