// The udp backend: hosts whose packets a program carries between a TUN device and UDP.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { type Node, createCluster } from '../lab/scenarios/cluster.ts'
import { ARGS } from '../lab/world/network.ts'

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
