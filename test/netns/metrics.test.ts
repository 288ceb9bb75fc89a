// /metrics of real daemons: what promtool says of it, that nothing of the table is missing, and that the numbers are right
// after things that happened.
import test from 'ava'
import { PROCESS_METRICS } from '../../src/metrics/process.ts'
import { METRICS } from '../../src/metrics/table.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { type Scrape, scrape, scrapeOf } from '../lab/instruments/scrape.ts'
import { putPeer } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let etcd: EtcdHost
let host: Host
let stranger: Host
/** The other host's subnet, "10.2.140.0". */
let other: string

test.before(async () => {
  const lan = await (await createLab(owner)).lan()
  const peer = await lan.host(122)
  ;[etcd, host, stranger] = await Promise.all([startEtcd(lan, { config: CONFIG }), lan.host(121), lan.host(199)])
  // Existing subnets, so that the ones made up below are free.
  for (const [one, subnet] of [
    [host, '10.2.130.1'],
    [peer, '10.2.140.1'],
  ] as const)
    await one.run(
      'mkdir -p /run/flannel && cat >/run/flannel/subnet.env',
      `FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=${subnet}/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
    )
  const daemons = await Promise.all([host, peer].map((one) => startFlanneld(one, argsFor(etcd))))
  await Promise.all(daemons.map((daemon) => daemon.line(/ ready: /)))
  const env = await waitForSubnetEnv(peer, daemons[1] as (typeof daemons)[number])
  other = (env['FLANNEL_SUBNET'] ?? '').replace('.1/24', '.0')
  await waitFor('the peer', async () => (await host.run(`ip route show ${other}/24`)) !== '')
})

/** Scrapes until the series have these values (or fulfil them), and gives the scrape. */
async function until(
  series: Readonly<Record<string, number | ((value: number) => boolean)>>,
  deadline?: number,
): Promise<Scrape> {
  let last = ''
  const met = async (): Promise<Scrape | false> => {
    const now = await scrape(host)
    const wrong = Object.entries(series).filter(([name, wanted]) => {
      const value = now.value(name)
      return typeof wanted === 'number' ? value !== wanted : value === undefined || !wanted(value)
    })
    last = wrong.map(([name]) => `${name} ${now.value(name)}`).join(', ')
    return wrong.length === 0 && now
  }
  return waitFor('series', met, deadline).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${last}`)
  })
}

test.serial('each metric of the table appears in a scrape, and promtool finds no fault in it', async (t) => {
  const missing = (now: Scrape): readonly string[] =>
    [...METRICS, ...PROCESS_METRICS]
      .filter(({ name, type }) => !now.names.has(type === 'histogram' ? `${name}_bucket` : name))
      .map(({ name }) => name)
  let last: readonly string[] = []
  const whole = await waitFor('every metric', async () => {
    const now = await scrape(host)
    last = missing(now)
    return last.length === 0 && now
  }).catch((error: unknown) => t.fail(`${String(error)}: ${last.join(' ')}`))
  if (typeof whole === 'boolean') return
  t.is(await host.run('promtool check metrics 2>&1', whole.text), '')
  const { status } = await askHealthPort(host, '/readyz')
  t.is(status, 200)
  t.like(await askHealthPort(host, '/healthz'), { status: 200, text: 'flanneld is running' })
  const asked = await host.run('curl -s --unix-socket /run/flannel/flanneld.sock http://localhost/metrics')
  t.deepEqual([...scrapeOf(asked).names].toSorted(), [...whole.names].toSorted())
})

test.serial('a peer that answers is up, with what it took there and back', async (t) => {
  const peer = `{peer="${other}/24"}`
  const now = await until({
    'flannel_peers{state="up"}': 1,
    [`flannel_peer_rtt_seconds${peer}`]: (seconds) => seconds > 0 && seconds < 1,
    [`flannel_peer_loss_ratio${peer}`]: 0,
    [`flannel_peer_path_mtu_bytes${peer}`]: (bytes) => bytes >= 1400,
  })
  t.is(now.value('flannel_peers{state="unreachable"}'), 0)
})

test.serial('a route deleted by another process is counted as drift and as a repair', async (t) => {
  const before = await scrape(host)
  t.is(before.value('flannel_kernel_repairs_total{kind="route",result="ok"}'), 0)
  const told = before.value('flannel_kernel_drift_total{kind="route"}') ?? 0
  await host.run(`ip route del ${other}/24`)
  const after = await until({
    'flannel_kernel_repairs_total{kind="route",result="ok"}': 1,
    'flannel_kernel_drift_total{kind="route"}': (value) => value > told,
  })
  const count = 'flannel_reconcile_duration_seconds_count'
  t.true((after.value(count) ?? 0) > (before.value(count) ?? 0))
  t.is(after.value('flannel_kernel_repairs_total{kind="route",result="refused"}'), 0)
  t.is(after.value('flannel_reconcile_failures_total'), 0)
})

test.serial('leases: refused ones by reason, reservations, and what is left of the range', async (t) => {
  const before = await scrape(host)
  t.is(before.value('flannel_subnets{state="leased"}'), 2)
  const free = before.value('flannel_subnets{state="free"}') ?? 0
  const value = {
    PublicIP: '192.168.19.77',
    BackendType: 'vxlan',
    BackendData: { VNI: 9, VtepMAC: '0a:00:00:00:00:77' },
  }
  await etcd.etcdctl(`put ${PREFIX}/subnets/10.2.200.0-24 '${JSON.stringify(value)}'`)
  await putPeer(etcd, 201)
  const after = await until({
    'flannel_leases_rejected_total{reason="vni"}': 1,
    'flannel_subnets{state="refused"}': 1,
    'flannel_subnets{state="reserved"}': 1,
    'flannel_subnets{state="free"}': free - 2,
    'flannel_kernel_objects{kind="route",state="right"}':
      (before.value('flannel_kernel_objects{kind="route",state="right"}') ?? 0) + 1,
  })
  t.is(after.value('flannel_subnets{state="leased"}'), 2)
  t.true((after.value('flannel_etcd_revision') ?? 0) >= (before.value('flannel_etcd_revision') ?? 0) + 2)
})

test.serial('a foreign route in place of ours is an object in conflict', async (t) => {
  await host.run('ip route add 10.2.202.0/24 via 192.168.19.1 dev enp0s3 proto static')
  await putPeer(etcd, 202)
  const conflict = 'flannel_kernel_objects{kind="route",state="conflict"}'
  await until({ [conflict]: 1 })
  await host.run('ip route del 10.2.202.0/24 via 192.168.19.1 proto static')
  await until({ [conflict]: 0 })
  t.pass()
})

test.serial('packets from a host that is no peer are counted, and so are flushed rules', async (t) => {
  const dropped = 'flannel_vxlan_unknown_sender_packets_total'
  const before = await scrape(host)
  t.is(before.value(dropped), 0)
  await stranger.run(`ip link add flannel.1 type vxlan id 1 local ${stranger.address} dev enp0s3 dstport 8472 nolearning
    ip addr add 10.2.250.0/8 dev flannel.1 && ip link set flannel.1 up
    bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst ${host.address}
    ping -c 3 -i 0.05 -W 1 10.2.1.1 || true`)
  await until({ [dropped]: (packets) => packets >= 1 })
  const written = 'flannel_firewall_sync_total{result="written"}'
  await host.run('iptables -F FLANNEL-FWD')
  const after = await until({ [written]: (value) => value > (before.value(written) ?? 0) })
  t.is(after.value('flannel_firewall_sync_total{result="failed"}'), 0)
})

test.serial('etcd away and back: connected says so, errors and failed renewals count', async (t) => {
  const before = await scrape(host)
  t.is(before.value('flannel_etcd_connected'), 1)
  t.is(before.value('flannel_etcd_errors_total{code="unreachable"}'), 0)
  t.true((before.value('flannel_etcd_request_duration_seconds_count{op="keep_alive"}') ?? 0) > 0)
  await etcd.kill()
  await until({
    flannel_etcd_connected: 0,
    'flannel_etcd_errors_total{code="unreachable"}': (errors) => errors >= 1,
    'flannel_lease_renewals_total{result="failed"}': (failed) => failed >= 1,
  })
  await etcd.start()
  await putPeer(etcd, 203)
  const renewed = before.value('flannel_lease_renewals_total{result="renewed"}') ?? 0
  const after = await until({
    flannel_etcd_connected: 1,
    'flannel_subnets{state="reserved"}': 3,
    'flannel_lease_renewals_total{result="renewed"}': (value) => value > renewed,
  })
  const ends = (after.value('flannel_lease_expiry_timestamp_seconds') ?? 0) - Date.now() / 1000
  t.true(ends > 86_000 && ends <= 86_400, `${ends} s`)
})

test.serial('a lease deleted by another process is counted as restored', async (t) => {
  const { FLANNEL_SUBNET: own = '' } = Object.fromEntries(
    (await host.run('cat /run/flannel/subnet.env')).split('\n').map((line) => line.split('=')),
  ) as Record<string, string>
  await etcd.etcdctl(`del ${PREFIX}/subnets/${own.replace('.1/24', '.0-24')}`)
  await until({ 'flannel_lease_renewals_total{result="restored"}': 1 })
  t.pass()
})
