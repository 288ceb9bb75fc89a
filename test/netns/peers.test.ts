// `flanneld peers` on three hosts, two on one LAN and one behind a router: the path to each and its state, trouble first; a refused
// lease; and without a daemon what etcd and the kernel say. Then a thousand peers.
import test from 'ava'
import type { PeerView } from '../../src/view/status-shape.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { putLeases, putManyLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

/** A host and the subnet its daemon leased, "10.2.3.0/24". */
interface Peer {
  readonly host: Host
  readonly subnet: string
}

const owner = fileOwner()
let etcd: EtcdHost
/** Where flanneld is asked. */
let own: Peer
/** On the same LAN. */
let near: Peer
/** Behind the router. */
let far: Peer

/** A host whose daemon is ready. */
async function withDaemon(host: Host): Promise<Peer> {
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready:/)
  return { host, subnet: FLANNEL_SUBNET.replace('.1/', '.0/') }
}

test.before(async () => {
  const lab = await createLab(owner)
  const [lan, farLan] = [await lab.lan(), await lab.lan({ prefix: '192.168.20' })]
  await lab.router(lan, farLan)
  etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan', DirectRouting: true } })
  const hosts = [await lan.host(121), await lan.host(122), await farLan.host(14)] as const
  ;[own, near, far] = await Promise.all([withDaemon(hosts[0]), withDaemon(hosts[1]), withDaemon(hosts[2])])
})

/** The rows of the table, words apart. */
async function table(host: Host, args = ''): Promise<readonly (readonly string[])[]> {
  const { stdout } = await runVerb(host, `peers ${args}`)
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
}

/** Waits until the peers are in these states, in this order. */
async function statesAre(expected: string): Promise<void> {
  await waitFor(expected, async () => {
    const states = (await table(own.host)).slice(1).map((row) => row[3])
    if (states.join() === expected) return true
    throw new Error(states.join())
  })
}

test.serial(
  'a row per peer, not ourselves: direct on the LAN, vxlan behind the router, up, with RTT and path MTU',
  async (t) => {
    await statesAre('up,up')
    const rows = await table(own.host)
    t.deepEqual(rows[0], ['SUBNET', 'PUBLIC IP', 'VIA', 'STATE', 'RTT', 'LOSS', 'PATH MTU', 'SINCE', 'NOTE'])
    const row = (subnet: string): readonly string[] => rows.find(([first]) => first === subnet) ?? []
    t.deepEqual(row(near.subnet).slice(1, 4), ['192.168.19.122', 'direct', 'up'])
    t.deepEqual(row(far.subnet).slice(1, 4), ['192.168.20.14', 'vxlan', 'up'])
    t.regex(row(far.subnet)[4] ?? '', /^\d+(\.\d)?ms$/)
    t.regex(row(far.subnet)[6] ?? '', /^1450$/)
    t.is(rows.length, 3, `not ourselves, ${own.subnet}`)
  },
)

test.serial('an unreachable peer and a refused lease come first, and --json gives their cause', async (t) => {
  await putLeases(etcd, [{ name: '10.9.9.0-24', value: vxlanValue('192.168.19.99', '0a:00:00:00:00:63') }])
  await far.host.run('ip link set enp0s3 down')
  await statesAre('unreachable,refused,up')
  const { code, stdout } = await runVerb(own.host, 'peers --json')
  t.is(code, 1)
  const { source, peers } = JSON.parse(stdout) as { source: string; peers: readonly PeerView[] }
  t.is(source, 'daemon')
  t.deepEqual(
    peers.map(({ subnet, state, cause }) => [subnet, state, cause]),
    [
      [far.subnet, 'unreachable', 'host-down'],
      ['10.9.9.0/24', 'refused', null],
      [near.subnet, 'up', null],
    ],
  )
  t.regex(peers[1]?.note ?? '', /outside-network: 10\.9\.9\.0\/24 is not in 10\.2\.0\.0\/16/)
})

test.serial('status counts the unreachable peer and the refused lease, and says what to ask of doctor', async (t) => {
  const { code, stdout } = await runVerb(own.host, 'status')
  t.is(code, 1)
  t.regex(stdout, /^● degraded {3}1 of 2 peers unreachable ·[^]*warning: 1 lease refused, .*10\.9\.9\.0-24/)
  t.true(stdout.includes(`Run: flanneld doctor ${far.subnet}`))
})

test.serial('without a daemon the peers are read from routes, neighbours and FDB', async (t) => {
  const { code, stdout, output } = await runVerb(near.host, 'peers -subnet-file /run/other.env')
  t.is(code, 3)
  t.regex(output, /no daemon answers: the peers as the last daemon left them in the kernel/)
  t.true(stdout.includes(far.subnet))
  t.regex(stdout, /192\.168\.20\.14 +vxlan +unknown/)
  t.regex(stdout, /192\.168\.19\.121 +direct +unknown/)
})

test.serial('without a daemon, but with etcd, the peers are those of the leases', async (t) => {
  const { code, stdout } = await runVerb(near.host, `peers --json -subnet-file /run/other.env ${ARGS}`)
  t.is(code, 3)
  t.like(JSON.parse(stdout), { source: 'etcd' })
  t.true(stdout.includes(far.subnet))
})

test('a thousand peers: one event at the start, one writing of each route, a table by subnet, answered at once', async (t) => {
  const lan = await (await createLab(t)).lan()
  const store = await startEtcd(lan)
  await store.configure({ Network: '10.0.0.0/8', SubnetLen: 24, Backend: { Type: 'vxlan' } })
  const thousand = Array.from({ length: 1000 }, (_, n) => {
    const [high, low] = [n >> 8, n & 255]
    const mac = `0a:00:00:00:0${high}:${low.toString(16).padStart(2, '0')}`
    return { name: `10.7${high}.${low}.0-24`, value: vxlanValue(`192.168.${32 + high}.${low}`, mac) }
  })
  await putManyLeases(store, thousand)
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
  await waitFor('the routes to be reported', () => written().length >= 1000)
  t.deepEqual(
    written().filter((line) => !line.includes(' nhid ')),
    [],
  )
  const rows = (await table(host)).slice(1)
  t.deepEqual(
    rows.map(([subnet]) => subnet),
    thousand.map(({ name }) => name.replace('-', '/')),
  )
  const { stdout } = await runVerb(host, 'events')
  t.regex(stdout, /peer {6}1000 peers at the start$/m)
  t.notRegex(stdout, /joined/)
  const { stdout: status } = await runVerb(host, 'status')
  t.regex(status, /^● healthy {3}1000 peers/)
  t.regex(status, /kernel {3}(\d{4})\/\1 objects as wanted/)
})
