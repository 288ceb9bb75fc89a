// Backend auto on real hosts: directly where the LAN carries packets of containers, by the tunnel where it does not, and no packet
// lost when the way changes.
import test from 'ava'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Node, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'

const CONFIG = { Network: '10.2.0.0/16', Backend: { Type: 'auto' } }

async function start(host: Host, args = ''): Promise<Node> {
  return nodeOn(host, await startFlanneld(host, `${ARGS} -probe-interval=1 ${args}`))
}

/** Waits until packets to a node go so: by the LAN, or by the tunnel. */
async function waitForWay(from: Node, to: Node, way: 'direct' | 'vxlan'): Promise<void> {
  const dev = way === 'direct' ? `via ${to.host.address} dev enp0s3` : `via ${to.subnet}.0 dev flannel.1`
  const route = (): Promise<string> => from.host.run(`ip route show ${to.subnet}.0/24`)
  await waitFor(`a route ${dev}`, async () => (await route()).includes(dev), 120_000).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${await route()}\n${from.daemon.output()}`)
  })
}

/** What `flanneld peers` says of a node. */
async function lineOf(from: Node, to: Node): Promise<string> {
  const { stdout } = await runVerb(from.host, 'peers')
  return stdout.split('\n').find((line) => line.startsWith(`${to.subnet}.0/24`)) ?? stdout
}

/** Has a host drop what comes from the LAN with addresses of containers, as a switch with port security does. */
const SECURE = `nft 'add table ip secure
  add chain ip secure in { type filter hook prerouting priority -400; }
  add rule ip secure in iifname enp0s3 ip saddr 10.2.0.0/16 drop'`

test('three hosts, one behind a router: neighbours are reached directly once that is proven, the third by the tunnel', async (t) => {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  await lab.router(near, far)
  const etcd = await startEtcd(near, { config: CONFIG })
  const hosts = [await near.host(121), await near.host(122), await far.host(123)] as const
  const [a, b, c] = await Promise.all([start(hosts[0]), start(hosts[1]), start(hosts[2])])
  for (const [from, to] of [
    [a, b],
    [a, c],
    [c, b],
  ] as const) {
    await waitUntilReached(from, to)
  }
  const pings = await startPings(a.container, b.container.address)
  const others = await startPings(b.container, c.container.address)
  await Promise.all([waitForWay(a, b, 'direct'), waitForWay(b, a, 'direct')])
  await a.daemon.line(new RegExp(`^I.* peer ${b.subnet}.0/24 reached without a tunnel: our LAN carries`))
  const well = await waitForHealth(a, b, { state: 'up', cause: 'none', pathMtu: 1450 })
  t.true(well.rttMs !== undefined)
  t.regex(await lineOf(a, b), / direct .* up /)
  t.regex(await lineOf(a, c), / vxlan .* up /)
  await waitForWay(a, c, 'vxlan')
  t.like(await pings.stop(), { lost: 0 })
  t.like(await others.stop(), { lost: 0 })
  const doctor = await runVerb(a.host, 'doctor')
  t.is(doctor.code, 0, doctor.output)
  await a.daemon.stop()
  const alone = await runVerb(a.host, `doctor ${ARGS}`)
  t.notRegex(alone.output, /route 10\.2/, alone.output)
  const leases = await etcd.etcdctl(`get --prefix ${PREFIX}/subnets/ --print-value-only`)
  t.regex(leases, /"BackendType":"vxlan","BackendData":\{"VNI":1,"VtepMAC":"[^"]+","Direct":true\}/)
})

test('a LAN that drops addresses of containers: the tunnel, until it carries them; and again when it ceases to', async (t) => {
  const lan = await (await createLab(t)).lan()
  await startEtcd(lan, { config: CONFIG })
  const hosts = [await lan.host(121), await lan.host(122)] as const
  await hosts[1].run(SECURE)
  const [a, b] = await Promise.all([start(hosts[0]), start(hosts[1])])
  await Promise.all([waitForWay(b, a, 'direct'), waitForHealth(a, b, { state: 'up' })])
  await waitFor('a disproof', async () => (await lineOf(a, b)).includes('does not carry'))
  t.regex(await lineOf(a, b), / vxlan .* up /)

  const pings = await startPings(a.container, b.container.address)
  await b.host.run('nft delete table ip secure')
  await waitForWay(a, b, 'direct')
  t.like(await pings.stop(), { lost: 0 })

  await b.host.run(SECURE)
  const began = performance.now()
  await waitForWay(a, b, 'vxlan')
  t.log(`by the tunnel again after ${Math.round(performance.now() - began)} ms`)
  await waitUntilReached(a, b)
  await a.daemon.line(new RegExp(`^W.* peer ${b.subnet}.0/24 reached through the tunnel again: our LAN no longer`))
  await waitForHealth(a, b, { state: 'up', cause: 'none' })
})

test('Encrypt beyond-link: what leaves the LAN is encrypted, what stays on it goes directly', async (t) => {
  const lab = await createLab(t)
  const [near, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  const router = await lab.router(near, far)
  await startEtcd(near, { config: { ...CONFIG, Backend: { Type: 'auto', Encrypt: 'beyond-link' } } })
  const args = '-wireguard-go=/usr/bin/wireguard-go'
  const hosts = [await near.host(121), await near.host(122), await far.host(123)] as const
  const [a, b, c] = await Promise.all([start(hosts[0], args), start(hosts[1], args), start(hosts[2], args)])
  await router.run(`nft 'add table ip look
    add counter ip look clear
    add chain ip look forward { type filter hook forward priority 0; }
    add rule ip look forward udp dport 8472 counter name clear'`)
  await Promise.all([waitUntilReached(a, c), waitUntilReached(a, b), waitForWay(a, b, 'direct')])
  await waitForHealth(a, c, { state: 'up', cause: 'none' })
  t.regex(await lineOf(a, c), / wireguard encrypted .*on another network, and Encrypt is beyond-link/)
  t.regex(await lineOf(a, b), / direct .*on our LAN, which carries packets of containers/)
  t.regex(await router.run('nft list counter ip look clear'), /packets 0 /, 'nothing in clear')
})
