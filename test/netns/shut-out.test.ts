// `flanneld shut-out` and `readmit` on real hosts: a stolen host that deletes all leases, its own too, is out at once.
import test from 'ava'
import { createCluster, type Node } from '../lab/scenarios/cluster.ts'
import { PREFIX } from '../lab/scenarios/founding.ts'
import type { Member } from '../lab/world/etcd-members.ts'
import { peerIs, putPeer } from '../lab/instruments/traffic.ts'
import { verb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'

test('a stolen host that deletes all leases is shut out while peers are kept, believed nowhere, and let in again', async (t) => {
  const { nodes, etcd } = await createCluster(t)
  const [a, b] = nodes as [Node, Node]
  const member = etcd as unknown as Member
  for (const n of [200, 201]) await putPeer(member, n)
  for (const { host } of nodes) for (const n of [200, 201]) await peerIs(host, n, true)
  await a.daemon.line(/ ready: /)

  await etcd.etcdctl(`del --prefix ${PREFIX}/subnets/`)
  for (const { daemon } of nodes) await daemon.line(/leases were deleted .*: keeping \d+ peers for 10 s/)
  const shut = await verb(a.host, 'shut-out 10.2.200.0/24')
  t.deepEqual([shut.code, shut.output], [0, '192.168.19.200 is shut out\n'])
  for (const { host, daemon } of nodes) {
    await peerIs(host, 200, false)
    await peerIs(host, 201, false)
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

  // It registers again, on another subnet.
  await putPeer(member, 200, '10.2.210.0')
  await putPeer(member, 202)
  for (const { host, daemon } of nodes) {
    await peerIs(host, 202, true)
    await daemon.line(/lease refused: .*10\.2\.210\.0-24: shut-out: 192\.168\.19\.200/)
    t.is(await host.run('ip route show 10.2.210.0/24'), '')
    const guard = async (): Promise<string> => host.run('nft list ruleset')
    await waitFor('the guard', async () => (await guard()).includes('192.168.19.202'))
    t.false((await guard()).includes('192.168.19.200'), await guard())
  }
  const peers = await verb(b.host, 'peers')
  t.regex(peers.output, /10\.2\.210\.0\/24 .* refused .* shut-out: 192\.168\.19\.200/)
  const leases = await verb(b.host, 'leases')
  t.regex(leases.output, /10\.2\.210\.0\/24 +192\.168\.19\.200 .*refused: shut-out/)
  t.regex(leases.output, /shut out: 192\.168\.19\.200; flanneld readmit/)
  t.regex(
    (await verb(b.host, 'status')).output,
    /note: shut out by the operator: 192\.168\.19\.200\. Run: flanneld readmit/,
  )

  // Nothing of it is missing: nobody is to put it back.
  const doctor = await verb(b.host, 'doctor')
  t.notRegex(doctor.output, /10\.2\.210\.0\/24: (?!shut-out)|peer 10\.2\.210|does not follow etcd|nft add element/)

  const again = await verb(b.host, 'shut-out 192.168.19.200 -json')
  t.deepEqual(JSON.parse(again.stdout), {
    address: '192.168.19.200',
    deleted: ['10.2.210.0/24'],
    left: [],
    already: true,
  })
  await putPeer(member, 200)
  const back = await verb(b.host, 'readmit 192.168.19.200')
  t.deepEqual([back.code, back.output], [0, '192.168.19.200 is readmitted: a peer as soon as it has a lease\n'])
  for (const { host } of nodes) await peerIs(host, 200, true)

  for (const [words, line] of [
    ['readmit 192.168.19.200', 'flanneld: readmit: 192.168.19.200: is not shut out\n'],
    ['shut-out 10.2.9.0/24', 'flanneld: shut-out: 10.2.9.0/24: no host has it: name the public address instead\n'],
    ['shut-out nonsense', "flanneld: shut-out: nonsense: must be a host's public address, such as 192.168.19.200, or its subnet\n"], // prettier-ignore
  ] as const) {
    const bad = await verb(a.host, words)
    t.deepEqual([bad.code, bad.output], [1, line])
  }
})
