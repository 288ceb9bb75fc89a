// What the daemons find in a network of both families: each family by itself, so that one that is broken shows.
import test from 'ava'
import { BUNDLE, startFlanneld } from '../lab/actors/flanneld.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { probeEvents, waitForHealth } from '../lab/instruments/probe-results.ts'
import { type Node, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import type { Space } from '../lab/world/space.ts'

const CONFIG = {
  Network: '10.2.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:10:2::/48',
  Backend: { Type: 'vxlan' },
}

/** A node as its IPv6 address on the LAN names it, by whose path its health in IPv6 is asked for. */
interface DualNode extends Node {
  /** Its subnets as peers show them. */
  readonly subnet4: string
  readonly subnet6: string
}

async function start(host: Host, args = ''): Promise<DualNode> {
  const node = await nodeOn(host, await startFlanneld(host, `${ARGS} ${args}`))
  const subnet6 = (node.env['FLANNEL_IPV6_SUBNET'] ?? '').replace('::1/64', '::/64')
  return { ...node, subnet4: `${node.subnet}.0/24`, subnet6 }
}

/** Two hosts on one LAN. */
async function pair(t: Parameters<typeof createLab>[0]): Promise<readonly [DualNode, DualNode]> {
  const lan = await (await createLab(t)).lan()
  await startEtcd(lan, { config: CONFIG })
  const [a, b] = await Promise.all([lan.host(121).then((it) => start(it)), lan.host(122).then((it) => start(it))])
  await Promise.all([well(a, b), well(b, a)])
  return [a, b]
}

/** Waits until a node sees another one well in both families. */
async function well(from: DualNode, to: DualNode): Promise<void> {
  await waitForHealth(from, to.subnet4, { state: 'up', cause: 'none', pathMtu: 1450 })
  await waitForHealth(from, to.subnet6, { state: 'up', cause: 'none', pathMtu: 1430 })
}

/** Commands that drop what goes out by IPv6 to the tunnel's port. */
const BLOCK = `nft 'add table ip6 block
  add chain ip6 block output { type filter hook output priority 0; }
  add rule ip6 block output udp dport 8472 drop'`

test('a host with two families: both are probed by one socket each, ping reports both, and a block of IPv6 alone shows', async (t) => {
  const [a, b] = await pair(t)
  for (const table of ['raw', 'raw6']) {
    t.is((await a.host.run(`cat /proc/net/${table}`)).trim().split('\n').length - 1, 1, `one socket in ${table}`)
  }
  const ping = await runVerb(a.host, `ping ${b.subnet4}`)
  t.is(ping.code, 0, ping.output)
  t.regex(ping.stdout, new RegExp(`^up {3}${b.subnet4} on ${b.host.address}\n`))
  t.regex(ping.stdout, new RegExp(`\nup {3}${b.subnet6} on ${b.host.address6}\n`))
  t.regex(ping.stdout, /in the tunnel +fd00:10:2:\w+:: to fd00:10:2:\w+:: +4 of 4 back +\d+\.\dms +1430 bytes pass\n/)
  t.regex(ping.stdout, /to its host +fd00:19::79 to fd00:19::7a +4 of 4 back +\d+\.\dms +1500 bytes pass\n/)

  await a.host.run(BLOCK)
  const blocked = { state: 'unreachable', cause: 'tunnel-blocked-out' } as const
  const found = await waitForHealth(a, b.subnet6, { ...blocked, note: 'udp 8472 blocked? what we send is lost' })
  await waitForHealth(b, a.subnet6, { state: 'unreachable', cause: 'tunnel-blocked-in' })
  t.log(`IPv6 blocked: found after ${found.ms} ms`)
  await a.daemon.line(new RegExp(`^W.* peer ${b.subnet4} unreachable by IPv6: udp 8472 blocked`))
  const { health } = await waitForHealth(a, b.subnet4, { state: 'up' }).then((health) => ({ health }))
  t.is(health.cause, 'none', 'IPv4 is well')
  const peers = await runVerb(a.host, 'peers')
  t.is(peers.code, 1)
  t.regex(peers.stdout, /degraded .* IPv6 unreachable: udp 8472 blocked\?/)
  const both = await runVerb(a.host, `ping ${b.subnet6}`)
  t.is(both.code, 1, 'one family is silent, the other is not')
  t.regex(both.stdout, new RegExp(`^unreachable {3}${b.subnet6} [^]*\nup {3}${b.subnet4} `))

  await a.host.run('nft delete table ip6 block')
  await Promise.all([well(a, b), well(b, a)])
  await a.daemon.line(new RegExp(`^I.* peer ${b.subnet4} up by IPv6`))
  t.true((await probeEvents(a.host)).every(({ peer, text }) => peer === b.subnet4 && text.includes('by IPv6')))

  await a.daemon.stop()
  const alone = await runVerb(a.host, `ping ${b.subnet6} -json`)
  t.is(alone.code, 0, alone.output)
  t.like(JSON.parse(alone.stdout), { source: 'kernel', state: 'up', pathMtu: 1430, underlay: { largest: 1500 } })
})

test('a route of IPv6 that leads elsewhere, and a host whose IPv6 address is gone: only IPv6 is not reached', async (t) => {
  const [a, b] = await pair(t)
  // The daemon repairs its route within milliseconds: a more specific one of another program stays.
  const vtep = b.subnet6.replace('/64', '')
  await a.host.run(`ip -6 route add blackhole ${vtep}/128`)
  const lost = await waitForHealth(a, b.subnet6, { state: 'unreachable' })
  t.log(`wrong route: ${lost.cause}, ${lost.note}, after ${lost.ms} ms`)
  t.like(await waitForHealth(a, b.subnet4, { state: 'up' }), { cause: 'none' })
  await a.host.run(`ip -6 route del blackhole ${vtep}/128`)
  await well(a, b)

  await b.host.run(`nft 'add table ip6 gone
    add chain ip6 gone input { type filter hook input priority 0; }
    add rule ip6 gone input iifname enp0s3 udp dport 8472 drop
    add rule ip6 gone input iifname enp0s3 icmpv6 type echo-request drop
    add chain ip6 gone output { type filter hook output priority 0; }
    add rule ip6 gone output udp dport 8472 drop
    add rule ip6 gone output icmpv6 type echo-request drop'`)
  await waitForHealth(a, b.subnet6, { state: 'unreachable', cause: 'host-down' })
  t.like(await waitForHealth(a, b.subnet4, { state: 'up' }), { cause: 'none' })
})

/** Two hosts, a router between them. */
async function routedPair(t: Parameters<typeof createLab>[0]): Promise<{ a: DualNode; b: DualNode; router: Space }> {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  const router = await lab.router(near, far)
  await startEtcd(near, { config: CONFIG })
  const [a, b] = [await start(await near.host(121)), await start(await far.host(122))]
  await waitUntilReached(a, b)
  await Promise.all([well(a, b), well(b, a)])
  return { a, b, router }
}

test('a path MTU hole in IPv6 alone, and a smaller link whose router says so', async (t) => {
  const { a, b, router } = await routedPair(t)
  await router.run(`nft 'add table ip6 hole
    add chain ip6 hole forward { type filter hook forward priority 0; }
    add rule ip6 hole forward ip6 length > 1360 drop'`)
  // `ip6 length` is what follows the header: an outer packet of 1400 bytes carries 1330.
  const note = "below the tunnel's 1430: larger packets are lost"
  const found = await waitForHealth(a, b.subnet6, { state: 'degraded', cause: 'path-mtu', pathMtu: 1330, note })
  t.log(`path MTU 1330 after ${found.ms} ms`)
  t.like(await waitForHealth(a, b.subnet4, { state: 'up' }), { cause: 'none', pathMtu: 1450 })
  await router.run('nft delete table ip6 hole')
  await well(a, b)

  // No router fragments IPv6, and our kernel none of the tunnel's packets: what it learns holds for ten minutes.
  await router.run(`ip -6 route replace ${b.host.address6}/128 dev eth1 mtu lock 1400`)
  const cut = await waitForHealth(a, b.subnet6, { state: 'degraded', cause: 'path-mtu', pathMtu: 1330, note })
  t.log(`behind a smaller link: after ${cut.ms} ms`)
  t.regex(await a.host.run(`ip -6 route get ${b.host.address6}`), /mtu 1400/)
  await router.run(`ip -6 route del ${b.host.address6}/128 dev eth1`)
  await a.host.run('ip -6 route flush cache')
  await well(a, b)
})

test('without IPv6 in the kernel IPv4 is probed as before', async (t) => {
  const lan = await (await createLab(t)).lan()
  await startEtcd(lan, { config: { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } } })
  const [a, b] = [await lan.host(121), await lan.host(122)]
  const nodes = await Promise.all([a, b].map(async (host) => nodeOn(host, await startFlanneld(host, ARGS, BUNDLE))))
  const [from, to] = nodes
  if (from === undefined || to === undefined) return t.fail()
  await waitForHealth(from, to, { state: 'up', cause: 'none', pathMtu: 1450 })
  t.is((await a.run('cat /proc/net/raw6')).trim().split('\n').length, 1, 'no socket of IPv6')
})
