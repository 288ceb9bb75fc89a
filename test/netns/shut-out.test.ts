// `flanneld shut-out` and `readmit` on real hosts: a stolen host that deletes all leases, its own too, is shut out at once.
import test from 'ava'
import { runVerb } from '../lab/actors/verb.ts'
import { waitForPeer, putPeer } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { createCluster, type Cluster, type Node } from '../lab/scenarios/cluster.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { PREFIX } from '../lab/world/network.ts'

const owner = fileOwner()
let cluster: Cluster
let a: Node
let b: Node

// The stolen host is 192.168.19.200, another one that exists in etcd alone is .201.
test.before(async () => {
  cluster = await createCluster(owner)
  ;[a, b] = cluster.nodes as [Node, Node]
  for (const n of [200, 201]) await putPeer(cluster.etcd, n)
  for (const { host } of cluster.nodes) for (const n of [200, 201]) await waitForPeer(host, n, true)
  await a.daemon.line(/ ready: /)
})

test.serial(
  'while peers are kept because all leases were deleted, a host that is shut out leaves at once',
  async (t) => {
    await cluster.etcd.etcdctl(`del --prefix ${PREFIX}/subnets/`)
    for (const { daemon } of cluster.nodes) await daemon.line(/leases were deleted .*: keeping \d+ peers for 10 s/)
    const shut = await runVerb(a.host, 'shut-out 10.2.200.0/24')
    t.deepEqual([shut.code, shut.output], [0, '192.168.19.200 is shut out\n'])
    for (const { host, daemon } of cluster.nodes) {
      await waitForPeer(host, 200, false)
      await waitForPeer(host, 201, false)
      // By the order of the lines: the other absent one was kept to the end of its time.
      const lines = daemon.output()
      const at = [/192\.168\.19\.200 is shut out/, /peer 10\.2\.200\.0\/24 left/, /peer 10\.2\.201\.0\/24 left/].map(
        (it) => lines.search(it),
      )
      t.deepEqual(
        at,
        at.toSorted((x, y) => x - y),
        lines,
      )
      t.false(at.includes(-1), lines)
    }
  },
)

test.serial('its lease on another subnet is refused: neither a route nor the guard lets it in', async (t) => {
  await putPeer(cluster.etcd, 200, '10.2.210.0')
  await putPeer(cluster.etcd, 202)
  for (const { host, daemon } of cluster.nodes) {
    await waitForPeer(host, 202, true)
    await daemon.line(/lease refused: .*10\.2\.210\.0-24: shut-out: 192\.168\.19\.200/)
    t.is(await host.run('ip route show 10.2.210.0/24'), '')
    const guard = async (): Promise<string> => host.run('nft list ruleset')
    await waitFor('the guard', async () => (await guard()).includes('192.168.19.202'))
    t.false((await guard()).includes('192.168.19.200'), await guard())
  }
})

test.serial('peers, leases and status name it, and how to readmit it', async (t) => {
  const peers = await runVerb(b.host, 'peers')
  t.regex(peers.output, /10\.2\.210\.0\/24 .* refused .* shut-out: 192\.168\.19\.200/)
  const leases = await runVerb(b.host, 'leases')
  t.regex(leases.output, /10\.2\.210\.0\/24 +192\.168\.19\.200 .*refused: shut-out/)
  t.regex(leases.output, /shut out: 192\.168\.19\.200; flanneld readmit/)
  const status = await runVerb(b.host, 'status')
  t.regex(status.output, /note: shut out by the operator: 192\.168\.19\.200\. Run: flanneld readmit/)
})

test.serial('doctor misses nothing of it', async (t) => {
  const { output } = await runVerb(b.host, 'doctor')
  t.notRegex(output, /10\.2\.210\.0\/24: (?!shut-out)|peer 10\.2\.210|does not follow etcd|nft add element/)
})

test.serial('shut out again: its new lease is deleted, and --json says so', async (t) => {
  const again = await runVerb(b.host, 'shut-out 192.168.19.200 -json')
  t.deepEqual(JSON.parse(again.stdout), {
    address: '192.168.19.200',
    deleted: ['10.2.210.0/24'],
    left: [],
    already: true,
  })
})

test.serial('readmitted, it is a peer as soon as it has a lease', async (t) => {
  await putPeer(cluster.etcd, 200)
  const back = await runVerb(b.host, 'readmit 192.168.19.200')
  t.deepEqual([back.code, back.output], [0, '192.168.19.200 is readmitted: a peer as soon as it has a lease\n'])
  for (const { host } of cluster.nodes) await waitForPeer(host, 200, true)
})

for (const [what, words, line] of [
  ['a host that is not shut out', 'readmit 192.168.19.200', 'readmit: 192.168.19.200: is not shut out'],
  [
    'a subnet of nobody',
    'shut-out 10.2.9.0/24',
    'shut-out: 10.2.9.0/24: no host has it: name the public address instead',
  ],
  [
    'no address',
    'shut-out nonsense',
    "shut-out: nonsense: must be a host's public address, such as 192.168.19.200, or its subnet",
  ],
] as const) {
  test.serial(`refused: ${what}`, async (t) => {
    const { code, output } = await runVerb(a.host, words)
    t.deepEqual([code, output], [1, `flanneld: ${line}\n`])
  })
}
