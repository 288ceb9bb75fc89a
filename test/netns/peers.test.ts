// `flanneld peers` on three hosts, two on one LAN and one behind a router: how packets go there and how that goes, trouble
// first; a lease nobody believes; and without a daemon what etcd and the kernel say.
import test, { type ExecutionContext } from 'ava'
import type { PeerView } from '../../src/view/peers.ts'
import { ready, startFlanneld } from '../lab/actors/flanneld.ts'
import { ARGS, etcdHost } from '../lab/scenarios/founding.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { verb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'

/** The rows of the table, words apart. */
async function table(host: Host, args = ''): Promise<readonly (readonly string[])[]> {
  const { stdout } = await verb(host, `peers ${args}`)
  return stdout.trim().split('\n').map((line) => line.split(/ {2,}/)) // prettier-ignore
}

/** What a host says whose daemon answers at another socket: the kernel's entries, or etcd's leases. */
async function withoutDaemon(t: ExecutionContext, near: Host, remoteSubnet: string): Promise<void> {
  const bystander = await verb(near, 'peers -subnet-file /run/other.env')
  t.is(bystander.code, 3)
  t.regex(bystander.output, /no daemon answers: the peers as the last daemon left them in the kernel/)
  t.true(bystander.stdout.includes(remoteSubnet), 'from routes, neighbours and FDB')
  t.regex(bystander.stdout, /192\.168\.20\.14 +vxlan +unknown/)
  t.regex(bystander.stdout, /192\.168\.19\.121 +direct +unknown/)
  const etcds = await verb(near, `peers --json -subnet-file /run/other.env ${ARGS}`)
  t.is(etcds.code, 3)
  t.like(JSON.parse(etcds.stdout), { source: 'etcd' })
  t.true(etcds.stdout.includes(remoteSubnet))
}

test('the table of peers: direct and through the tunnel, up, unreachable, refused; and when no daemon runs', async (t) => {
  const lab = await createLab(t)
  const [lan, far] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  await lab.router(lan, far)
  const etcd = await etcdHost(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', DirectRouting: true } })
  const hosts = [await lan.host(121), await lan.host(122), await far.host(14)] as const
  const subnets = await Promise.all(
    hosts.map(async (host) => {
      const daemon = await startFlanneld(host, ARGS)
      const { FLANNEL_SUBNET = '' } = await ready(host, daemon)
      await daemon.line(/ready:/)
      return FLANNEL_SUBNET.replace('.1/', '.0/')
    }),
  )
  const [host, near, remote] = hosts
  const [own, nearSubnet, remoteSubnet] = subnets
  await waitFor('both to be probed', async () => {
    const rows = await table(host)
    if (rows.filter((row) => row[3] === 'up').length === 2) return true
    throw new Error(JSON.stringify(rows))
  })
  const rows = await table(host)
  t.deepEqual(rows[0], ['SUBNET', 'PUBLIC IP', 'VIA', 'STATE', 'RTT', 'LOSS', 'PATH MTU', 'SINCE', 'NOTE'])
  const row = (subnet: string | undefined): readonly string[] => rows.find(([first]) => first === subnet) ?? []
  t.deepEqual(row(nearSubnet).slice(1, 4), ['192.168.19.122', 'direct', 'up'])
  t.deepEqual(row(remoteSubnet).slice(1, 4), ['192.168.20.14', 'vxlan', 'up'])
  t.regex(row(remoteSubnet)[4] ?? '', /^\d+(\.\d)?ms$/)
  t.regex(row(remoteSubnet)[6] ?? '', /^1450$/)
  t.is(rows.length, 3, `not ourselves, ${own ?? ''}`)

  await putLeases(etcd, [{ name: '10.9.9.0-24', value: vxlanValue('192.168.19.99', '0a:00:00:00:00:63') }])
  await remote.run('ip link set eth0 down 2>/dev/null || ip link set enp0s3 down')
  await waitFor('the trouble', async () => {
    const states = (await table(host)).slice(1).map((line) => line[3])
    if (states.join() === 'unreachable,refused,up') return true
    throw new Error(states.join())
  })
  const { code, stdout } = await verb(host, 'peers --json')
  t.is(code, 1)
  const { source, peers } = JSON.parse(stdout) as { source: string; peers: readonly PeerView[] }
  t.is(source, 'daemon')
  const seen = peers.map(({ subnet, state, cause }) => [subnet, state, cause])
  t.deepEqual(seen, [
    [remoteSubnet, 'unreachable', 'host-down'],
    ['10.9.9.0/24', 'refused', null],
    [nearSubnet, 'up', null],
  ])
  t.regex(peers[1]?.note ?? '', /outside-network: 10\.9\.9\.0\/24 is not in 10\.2\.0\.0\/16/)
  const status = await verb(host, 'status')
  t.is(status.code, 1)
  t.regex(status.stdout, /^● degraded {3}1 of 2 peers unreachable ·[^]*warning: 1 lease refused, .*10\.9\.9\.0-24/)
  t.true(status.stdout.includes(`Run: flanneld doctor ${remoteSubnet ?? ''}`))

  await withoutDaemon(t, near, remoteSubnet ?? '-')
})

test('a thousand peers: one event at the start, one writing of each route, a table by subnet, answered at once', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await etcdHost(lan)
  await etcd.configure({ Network: '10.0.0.0/8', SubnetLen: 24, Backend: { Type: 'vxlan' } })
  const thousand = Array.from({ length: 1000 }, (_, n) => {
    const [high, low] = [n >> 8, n & 255]
    const mac = `0a:00:00:00:0${high}:${low.toString(16).padStart(2, '0')}`
    return { name: `10.7${high}.${low}.0-24`, value: vxlanValue(`192.168.${32 + high}.${low}`, mac) }
  })
  await putLeases(etcd, thousand)
  const host = await lan.host(121)
  const monitor = await host.spawn('ip monitor route')
  const daemon = await startFlanneld(host, `${ARGS} -probe-interval=0`)
  await daemon.line(/ready:/)
  // Plain routes first, and those by nexthops after them, would take the kernel a time that grows with the square.
  const written = (): readonly string[] =>
    monitor
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('10.7'))
  await waitFor('the routes to be told', () => written().length >= 1000)
  t.deepEqual(
    written().filter((line) => !line.includes(' nhid ')),
    [],
  )
  const rows = (await table(host)).slice(1)
  t.deepEqual(
    rows.map(([subnet]) => subnet),
    thousand.map(({ name }) => name.replace('-', '/')),
  )
  const { stdout } = await verb(host, 'events')
  t.regex(stdout, /peer {6}1000 peers at the start$/m)
  t.notRegex(stdout, /joined/)
  const { stdout: status } = await verb(host, 'status')
  t.regex(status, /^● healthy {3}1000 peers/)
  t.regex(status, /kernel {3}(\d{4})\/\1 objects as wanted/)
})
