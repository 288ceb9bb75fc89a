// Who is who: clones, one address twice, a full range, many hosts at once, reservations, and no etcd lease left behind.
import test, { type ExecutionContext } from 'ava'
import { errors, warnings } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { createLab, type Host, type Lan } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { record } from '../lab/instruments/reliability.ts'
import { putPeer } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

interface World {
  readonly lan: Lan
  readonly etcd: EtcdHost
  readonly args: string
  /** Starts a daemon on a new host, or on one there is. */
  join(at: number | Host, more?: string): Promise<Joined>
}

interface Joined {
  readonly host: Host
  readonly daemon: Running
  /** "10.2.3.0" once it is ready. */
  readonly subnet: string
}

async function world(t: ExecutionContext, config: object = CONFIG): Promise<World> {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan, { config })
  const args = argsFor(etcd)
  return {
    lan,
    etcd,
    args,
    async join(at, more = '') {
      const host = typeof at === 'number' ? await lan.host(at) : at
      const daemon = await startFlanneld(host, `${args} ${more}`)
      const env = await waitForSubnetEnv(host, daemon)
      await daemon.line(/ ready: /)
      return { host, daemon, subnet: (env['FLANNEL_SUBNET'] ?? '').replace('.1/24', '.0') }
    },
  }
}

/** Errors, but for what is said when etcd lets us wait for more than 2 s: on a busy machine it may. */
function failed(daemon: Running): readonly string[] {
  return errors(daemon).filter((line) => !/no answer/.test(line))
}

/** What etcd says of a key: its value, revision and etcd lease, as etcdctl prints them. */
async function entry(etcd: EtcdHost, subnet: string): Promise<string> {
  return etcd.etcdctl(`get ${PREFIX}/subnets/${subnet}-24 -w fields | grep -E '"(Value|ModRevision|Lease)"'`)
}

async function etcdLeases(etcd: EtcdHost): Promise<number> {
  return Number(/found (\d+) leases/.exec(await etcd.etcdctl('lease list'))?.[1])
}

test.serial(
  'machine-id and subnet.env cloned to a second host: two subnets, the first host is left alone',
  async (t) => {
    const { etcd, lan, join } = await world(t)
    const first = await join(121)
    const before = await entry(etcd, first.subnet)
    const clone = await lan.host(122)
    await clone.run('cat >/etc/machine-id', await first.host.run('cat /etc/machine-id'))
    await clone.run('cat >/run/flannel/subnet.env', await first.host.run('cat /run/flannel/subnet.env'))
    const daemon = await startFlanneld(clone, argsFor(etcd))
    await daemon.line(/ ready: /)
    t.not((await subnetEnv(clone))['FLANNEL_SUBNET'], (await subnetEnv(first.host))['FLANNEL_SUBNET'])
    t.is(await entry(etcd, first.subnet), before)
    for (const it of [first.daemon, daemon]) t.deepEqual([...errors(it), ...warnings(it)], [])
  },
)

test.serial(
  'a public IP that a living host has: reported as a duplicate address, nothing is taken or touched',
  async (t) => {
    const { etcd, lan, args, join } = await world(t)
    const first = await join(121)
    const before = await entry(etcd, first.subnet)
    const second = await lan.host(122)
    const daemon = await startFlanneld(second, `${args} -public-ip=192.168.19.121`)
    await daemon.line(/flanneld \d/)
    const began = performance.now()
    const line = await daemon.line(/duplicate address/, 40_000)
    const ms = performance.now() - began
    t.regex(line, /duplicate address: 192\.168\.19\.121: .* that host lives; give one of the two another -public-ip/)
    t.is(await entry(etcd, first.subnet), before)
    t.is(await etcdLeases(etcd), 1)
    t.notRegex(await second.run('ip link'), /flannel/)
    await t.throwsAsync(subnetEnv(second))
    t.is(errors(daemon).length, 1)
    t.deepEqual([...errors(first.daemon), ...warnings(first.daemon)], [])
    await record({ fault: 'two hosts with one public IP', promise: 'reported, nothing taken over', ms, test: t.title })
  },
)

test('no free subnet: one line with range and count; ready when a subnet is freed', async (t) => {
  const Network = '10.2.0.0/16'
  const { etcd, lan, args } = await world(t, { Network, SubnetLen: 24, SubnetMin: '10.2.5.0', SubnetMax: '10.2.7.0' })
  for (const n of [5, 6, 7]) await putPeer(etcd, n)
  const host = await lan.host(121)
  const daemon = await startFlanneld(host, args)
  const line = await daemon.line(/no free subnet/)
  t.regex(line, /10\.2\.5\.0 to 10\.2\.7\.0, \/24: all 3 are taken/)
  await etcd.etcdctl(`del ${PREFIX}/subnets/10.2.6.0-24`)
  const freed = performance.now()
  await daemon.line(/ ready: /)
  const ms = performance.now() - freed
  t.is((await subnetEnv(host))['FLANNEL_SUBNET'], '10.2.6.1/24')
  t.is(failed(daemon).length, 1)
  await record({ fault: 'range exhausted, then freed', promise: 'ready when a subnet is freed', ms, test: t.title })
})

test.serial('20 daemons starting at once on 20 subnets: all distinct, none fails, one etcd lease each', async (t) => {
  const { etcd, lan, args } = await world(t, {
    Network: '10.2.0.0/16',
    SubnetLen: 24,
    SubnetMin: '10.2.1.0',
    SubnetMax: '10.2.20.0',
    Backend: { Type: 'vxlan' },
  })
  const hosts: Host[] = []
  for (let n = 0; n < 20; n++) hosts.push(await lan.host(121 + n))
  const began = performance.now()
  const daemons = await Promise.all(hosts.map((host) => startFlanneld(host, args)))
  for (const daemon of daemons) await daemon.line(/ ready: /, 60_000)
  const ms = performance.now() - began
  const subnets = await Promise.all(hosts.map(async (host) => (await subnetEnv(host))['FLANNEL_SUBNET']))
  t.is(new Set(subnets).size, 20)
  t.is(await etcdLeases(etcd), 20)
  for (const daemon of daemons) t.deepEqual(failed(daemon), [])
  const peers = (host: Host): Promise<string> => host.run('ip route show dev flannel.1 | wc -l')
  for (const host of hosts) await waitFor('19 routes', async () => Number(await peers(host)) === 19)
  await record({ fault: '20 hosts starting at once', promise: 'all distinct, none fails', ms, test: t.title })
})

test('a reservation stays one, and restarts leave no etcd lease behind', async (t) => {
  const { etcd, join } = await world(t, { Network: '10.2.0.0/16' })
  await putPeer(etcd, 121, '10.2.77.0')
  let reserved = await join(121)
  let leased = await join(122)
  t.is(reserved.subnet, '10.2.77.0')
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
    await Promise.all([reserved.daemon.stop(signal), leased.daemon.stop(signal)])
    const { subnet } = leased
    ;[reserved, leased] = await Promise.all([join(reserved.host), join(leased.host)])
    t.is(leased.subnet, subnet)
    t.is(reserved.subnet, '10.2.77.0')
    t.regex(await entry(etcd, '10.2.77.0'), /"Lease" : 0/)
    t.is(await etcdLeases(etcd), 1)
  }
})
