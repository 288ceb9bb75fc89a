// Ten minutes of probing over a network that loses 5% of the packets each way.
import test from 'ava'
import { createCluster } from '../lab/scenarios/cluster.ts'
import { lostPackets, losePackets, pathOf, probeEvents, waitForHealth } from '../lab/instruments/probe-results.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const TEN_MINUTES = 600_000

test('5% loss each way for ten minutes: no alarm; a tunnel blocked after that is found all the same', async (t) => {
  const { nodes } = await createCluster(t, { hosts: 3 })
  const [a, b] = nodes
  if (a === undefined || b === undefined) return t.fail()
  const pairs = nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => [from, to] as const))
  await Promise.all(pairs.map(([from, to]) => waitForHealth(from, to, { state: 'up', pathMtu: 1450 })))
  for (const { host } of nodes) await host.run(losePackets(5))
  const began = performance.now()
  await waitFor('ten minutes', () => performance.now() - began > TEN_MINUTES, TEN_MINUTES + 60_000)

  for (const { host } of nodes) {
    t.deepEqual(await probeEvents(host), [])
    t.log(`${host.name}: ${await lostPackets(host)} packets lost`)
    // 120 rounds, in which some 24 packets come in of each of two peers.
    t.true((await lostPackets(host)) > 100, 'the network did lose')
  }
  for (const [from, to] of pairs) {
    const { health } = await pathOf(from.host, `${to.subnet}.0`)
    t.like(health, { state: 'up', cause: 'none', pathMtu: 1450 })
    t.log(`${from.subnet} to ${to.subnet}: loss ${health?.loss}`)
  }

  await a.host.run(`nft 'add table ip block
    add chain ip block output { type filter hook output priority 0; }
    add rule ip block output ip daddr ${b.host.address} udp dport 8472 drop'`)
  const found = await waitForHealth(a, b, { state: 'unreachable', cause: 'tunnel-blocked-out' })
  t.log(`blocked: found after ${found.ms} ms`)
})
