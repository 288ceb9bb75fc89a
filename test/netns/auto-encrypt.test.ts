// Encrypt of auto is changed while containers ping: hosts follow one after the other, and no packet is lost.
import test from 'ava'
import { startPings } from '../lab/instruments/ping.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Cluster, type Node, createCluster, networkWith } from '../lab/scenarios/cluster.ts'

const ARGS = '-wireguard-go=/usr/bin/wireguard-go -probe-interval=1'

/** What the route of one host to the other has to look like. */
const WAYS = {
  direct: / via 192\.168\.19\.\d+ dev enp0s3/,
  encrypted: / dev flannel-wg /,
  clear: / dev (flannel\.1|enp0s3) /,
} as const

async function waitForWay(nodes: readonly Node[], way: keyof typeof WAYS): Promise<void> {
  for (const from of nodes)
    for (const to of nodes) {
      if (from === to) continue
      const route = (): Promise<string> => from.host.run(`ip route show ${to.subnet}.0/24`)
      await waitFor(`${way} to ${to.subnet}`, async () => WAYS[way].test(await route()), 120_000).catch(
        async (error: unknown) => {
          throw new Error(`${String(error)}\n${await route()}\n${from.daemon.output()}`)
        },
      )
    }
}

async function encrypt({ etcd, nodes }: Cluster, how: string, way: keyof typeof WAYS): Promise<void> {
  await etcd.configure(networkWith({ Type: 'auto', Encrypt: how }))
  await waitForWay(nodes, way)
}

test('Encrypt never, always, never under pings, twice: no packet is lost, and in the end there is no device', async (t) => {
  const cluster = await createCluster(t, { backend: { Type: 'auto' }, args: ARGS })
  const { nodes } = cluster
  const [a, b] = nodes
  if (a === undefined || b === undefined) return t.fail()
  await waitForWay(nodes, 'direct')
  const all = [
    await startPings(a.container, b.container.address),
    await startPings(b.container, a.container.address),
  ] as const
  for (const pings of all) await waitFor('pings', () => pings.received() > 20)
  for (const [how, way] of [
    ['always', 'encrypted'],
    ['never', 'clear'],
    ['always', 'encrypted'],
    ['never', 'clear'],
  ] as const) {
    const began = performance.now()
    await encrypt(cluster, how, way)
    t.log(`${how}: both hosts after ${Math.round(performance.now() - began)} ms`)
  }
  // What is kept for peers that follow late goes while packets are sent.
  for (const { host } of nodes)
    await waitFor('no device', async () => !(await host.run('ip -o link')).includes('flannel-wg'), 60_000)
  for (const pings of all) t.like(await pings.stop(), { lost: 0 }, a.daemon.output())
})
