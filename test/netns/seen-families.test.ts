// What an operator sees of two hosts with both families: one peer, one lease, both subnets and devices; and which family fails.
import test, { type ExecutionContext } from 'ava'
import { IPV6, type Node, createCluster } from '../lab/scenarios/cluster.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { assertDocumented } from '../lab/instruments/json-doc.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { openPage, startBrowser } from '../lab/actors/browser.ts'
import type { PeerView, Status } from '../../src/view/status-shape.ts'

test('a host with both families is one peer and one lease, and a fault in one family is named with it', async (t) => {
  const cluster = await createCluster(t, { keys: IPV6, args: '-healthz-port=9000 -healthz-page' })
  const [own, peer] = cluster.nodes
  if (own === undefined || peer === undefined) return t.fail()
  const ask = async <T>(verb: string): Promise<T> => JSON.parse((await runVerb(own.host, `${verb} --json`)).stdout) as T
  const peers = async (): Promise<readonly PeerView[]> => (await ask<{ peers: PeerView[] }>('peers')).peers
  const subnet = `${peer.subnet}.0/24`
  const subnet6 = (peer.env['FLANNEL_IPV6_SUBNET'] ?? '').replace('::1/64', '::/64')
  await waitFor('the peer to be up', async () => (await peers())[0]?.state === 'up')

  const [seen, ...others] = await peers()
  t.deepEqual(others, [])
  t.like(seen, {
    subnet,
    publicAddress: '192.168.19.122',
    type: 'vxlan',
    encrypted: false,
    via: 'vxlan',
    pathMtu: 1430,
  })
  t.deepEqual(
    seen?.families.map((one) => [one.family, one.subnet, one.publicAddress, one.state]),
    [
      [4, subnet, '192.168.19.122', 'up'],
      [6, subnet6, 'fd00:19::7a', 'up'],
    ],
  )
  const { status } = await ask<{ status: Status }>('status')
  t.is(status.peers.total, 1)
  t.deepEqual(
    status.tunnel?.devices.map(({ device, mtu }) => [device, mtu]),
    [
      ['flannel.1', 1450],
      ['flannel-v6.1', 1430],
    ],
  )
  const { stdout } = await runVerb(own.host, 'status')
  t.regex(stdout, /^● healthy {3}1 peer/)
  t.regex(
    stdout,
    /\n {2}IPv6 +fd00:10:2:\w+::\/64 {3}fd00:19::79 on enp0s3 +network fd00:10:2::\/48 · 2 of 65535 subnets/,
  )
  t.regex(stdout, /\n {2}device +flannel-v6\.1 vxlan vni 1 udp 8472 · mtu 1430/)
  const leases = (await runVerb(own.host, 'leases')).stdout
  t.true(leases.includes(`${subnet} ${subnet6}`), leases)
  t.regex(leases, /10\.2\.0\.0\/16: 2 of .*\nfd00:10:2::\/48: 2 of 65535 subnets used/)
  const metrics = await own.host.run('curl -s http://127.0.0.1:9000/metrics')
  t.regex(metrics, /^flannel_peers\{state="up"\} 1$/m)
  t.true(metrics.includes(`flannel_peer_loss_ratio{peer="${subnet}",family="IPv6"} 0`), metrics)

  await seeFaultOfOne(t, { own, peer, peers, subnet, subnet6 })
})

interface Seen {
  readonly own: Node
  readonly peer: Node
  readonly peers: () => Promise<readonly PeerView[]>
  readonly subnet: string
  readonly subnet6: string
}

/** The peer as its row of the page and the verbs show it, while its IPv6 tunnel is blocked and after. */
async function seeFaultOfOne(t: ExecutionContext, { own, peer, peers, subnet, subnet6 }: Seen): Promise<void> {
  const { page, complaints } = await openPage(await startBrowser(t, own.host))
  const row = page.getByRole('row').filter({ hasText: subnet })
  await row.filter({ hasText: subnet6 }).filter({ hasText: 'fd00:19::7a' }).filter({ hasText: 'up' }).waitFor()
  await page.getByRole('option').filter({ hasText: subnet6 }).click()
  await page.locator('#details').getByRole('heading', { name: 'IPv6' }).waitFor()

  await peer.host.run('ip6tables -I INPUT -p udp --dport 8472 -j DROP')
  await waitFor('IPv6 to fail', async () => /^IPv6 unreachable: udp 8472 blocked/.test((await peers())[0]?.note ?? ''))
  t.is((await peers())[0]?.state, 'degraded')
  t.regex((await runVerb(own.host, 'status')).stdout, /degraded.*\n[^]*IPv6 unreachable: udp 8472 blocked/)
  await row.filter({ hasText: 'degraded' }).filter({ hasText: 'IPv6 unreachable' }).waitFor()
  t.is((await runVerb(own.host, 'peers')).stdout.trim().split('\n').length, 2)
  await peer.host.run('ip6tables -D INPUT -p udp --dport 8472 -j DROP')
  await waitFor('the peer to be up', async () => (await peers())[0]?.state === 'up')
  assertDocumented(t, 'peers', [{ source: 'daemon', peers: await peers() }])
  t.deepEqual(complaints, [])
}
