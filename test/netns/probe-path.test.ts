// What probes find out about the path itself: how large a packet gets through, and that some loss is no alarm.
import test from 'ava'
import { type Node, createCluster, networkWith, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { lostPackets, losePackets, pathOf, probeEvents, waitForHealth } from '../lab/instruments/probe-results.ts'
import type { Space } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** Two hosts, a router between them. */
async function routedPair(t: Parameters<typeof createLab>[0]): Promise<{ a: Node; b: Node; router: Space }> {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  const router = await lab.router(near, far)
  const etcd = await startEtcd(near)
  await etcd.configure(networkWith({}))
  const start = async (host: Host): Promise<Node> => nodeOn(host, await startFlanneld(host, ARGS))
  const [a, b] = [await start(await near.host(121)), await start(await far.host(122))]
  await waitUntilReached(a, b)
  await Promise.all([waitForHealth(a, b, { state: 'up', pathMtu: 1450 }), waitForHealth(b, a, { state: 'up' })])
  return { a, b, router }
}

/** Has the router drop, without a word, what is longer than `bytes` as an IP packet. */
const hole = (bytes: number): string =>
  `nft 'add table ip hole
    add chain ip hole forward { type filter hook forward priority 0; }
    add rule ip hole forward ip length > ${bytes} drop'`

test('a path MTU hole behind a router is found, with the largest packet that passes, and its end as well', async (t) => {
  const { a, b, router } = await routedPair(t)
  await router.run(hole(1400))
  const note = "below the tunnel's 1450: larger packets are lost"
  const found = await waitForHealth(a, b, { state: 'degraded', cause: 'path-mtu', pathMtu: 1350, note })
  t.log(`path MTU 1350 after ${found.ms} ms`)
  await a.daemon.line(/^W.* peer .* degraded: below the tunnel's 1450/)
  // Containers get the true MTU: what fits gets through, what does not is lost.
  const ping = (size: number): Promise<string> =>
    a.container.run(`ping -c 1 -W 1 -M do -s ${size - 28} ${b.container.address} || true`)
  t.regex(await ping(1350), / 0% packet loss/)
  t.regex(await ping(1351), / 100% packet loss/)
  await router.run('nft flush table ip hole')
  await waitForHealth(a, b, { state: 'up', cause: 'none', pathMtu: 1450 })
})

/** The router's way to the far network as one over a link with a smaller MTU: longer packets are fragmented, or refused. */
const smallLink = (mtu: number): string => `ip route replace 192.168.20.0/24 dev eth1 mtu lock ${mtu}`

test('a smaller link on the path: all arrives in fragments, and the path MTU is reported, whatever the router and the host know', async (t) => {
  const { a, b, router } = await routedPair(t)
  await router.run(`nft 'add table ip mute
    add chain ip mute output { type filter hook output priority 0; }
    add rule ip mute output icmp type destination-unreachable drop'
    ${smallLink(1400)}`)
  const note = "below the tunnel's 1450: larger packets are fragmented"
  const found = await waitForHealth(a, b, { state: 'up', cause: 'path-mtu', pathMtu: 1350, note })
  t.log(`path MTU 1350 after ${found.ms} ms`)
  t.regex(
    await a.container.run(`ping -c 3 -i 0.1 -W 1 -M do -s ${1450 - 28} ${b.container.address}`),
    / 0% packet loss/,
  )
  // The router now reports its MTU, and the host keeps it for ten minutes: probes do not wait for that.
  await router.run('nft flush table ip mute')
  await a.host.run(`ping -c 2 -i 0.2 -W 1 -M do -s ${1500 - 28} ${b.host.address} || true`)
  t.regex(await a.host.run(`ip route get ${b.host.address}`), /mtu 1400/)
  await router.run(smallLink(1300))
  await waitForHealth(a, b, { state: 'up', cause: 'path-mtu', pathMtu: 1250 })
  t.notRegex(a.daemon.output(), /degraded/)
})

test('host-gw: a hole on the LAN is found too', async (t) => {
  const [a, b] = (await createCluster(t, { backend: { Type: 'host-gw' } })).nodes
  if (a === undefined || b === undefined) return t.fail()
  await waitForHealth(a, b, { state: 'up', pathMtu: 1500 })
  await b.host.run(hole(1400).replaceAll('forward', 'input'))
  const note = "below the network's 1500: larger packets are lost"
  const found = await waitForHealth(a, b, { state: 'degraded', cause: 'path-mtu', pathMtu: 1400, note })
  t.log(`path MTU 1400 after ${found.ms} ms`)
  t.pass()
})

test('5% loss in each direction for a while: no alarm, and the loss is reported', async (t) => {
  const { nodes } = await createCluster(t, { args: '-probe-interval=1' })
  const [a, b] = nodes
  if (a === undefined || b === undefined) return t.fail()
  await Promise.all([waitForHealth(a, b, { state: 'up' }), waitForHealth(b, a, { state: 'up' })])
  for (const { host } of [a, b]) await host.run(losePackets(5))
  // Some 40 turns of each; a packet in 20 of what both hosts receive.
  await waitFor(
    'enough packets lost',
    async () => (await lostPackets(a.host)) + (await lostPackets(b.host)) > 60,
    150_000,
  )
  for (const { host } of [a, b]) t.deepEqual(await probeEvents(host), [])
  const { health } = await pathOf(a.host, `${b.subnet}.0`)
  t.like(health, { state: 'up', cause: 'none' })
  t.log(`loss seen: ${health?.loss}`)
})
