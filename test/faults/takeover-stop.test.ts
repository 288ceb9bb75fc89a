// Stopping in every state, with status 0; forwarding is unchanged.
import test, { type ExecutionContext } from 'ava'
import { createCluster, networkWith, type Node } from '../lab/scenarios/cluster.ts'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { READ_KERNEL, READ_RULES, kernelText } from '../lab/instruments/kernel-text.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { startPings } from '../lab/instruments/ping.ts'
import type { Running } from '../lab/world/process.ts'
import { vxlanValue } from '../lab/actors/raw-leases.ts'
import { stopAndRecord } from '../lab/instruments/stop-time.ts'
import { waitForMorePings } from '../lab/instruments/tcp-streams.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

/** Sends SIGTERM and holds the daemon to status 0. */
async function stops(t: ExecutionContext, state: string, daemon: Running): Promise<void> {
  t.deepEqual(await stopAndRecord(t, daemon, state), { code: 0, signal: null }, daemon.output())
}

/** Puts 1,000 vxlan leases, 10.2.0.0-24 aside and from 10.1.0.0 on: the network of these tests is 10.0.0.0/12. */
async function thousandPeers(etcd: EtcdHost): Promise<void> {
  const puts = Array.from({ length: 1000 }, (_, n) => {
    const [high, low] = [n >> 8, n & 255]
    const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
    const value = vxlanValue(`192.168.${32 + high}.${low || 254}`, `0a:00:00:01:${hex(high)}:${hex(low)}`)
    return `put ${PREFIX}/subnets/10.${4 + high}.${low}.0-24 ${JSON.stringify(value)}`
  })
  // etcdctl txn: comparisons, an empty line, what to do, an empty line, what to do otherwise.
  for (let at = 0; at < puts.length; at += 100) {
    await etcd.run('etcdctl txn', `\n${puts.slice(at, at + 100).join('\n')}\n\n\n`)
  }
}

const WIDE = {
  Network: '10.0.0.0/12',
  SubnetLen: 24,
  SubnetMin: '10.1.0.0',
  SubnetMax: '10.1.255.0',
  Backend: { Type: 'vxlan' },
}
const ONE = {
  Network: '10.2.0.0/16',
  SubnetLen: 24,
  SubnetMin: '10.2.1.0',
  SubnetMax: '10.2.1.0',
  Backend: { Type: 'vxlan' },
}

interface State {
  readonly name: string
  readonly prepare: (etcd: EtcdHost) => Promise<unknown>
  /** What the daemon says when it is there. */
  readonly sign: RegExp
}

const STATES: readonly State[] = [
  {
    name: 'while etcd refuses connections',
    prepare: (etcd) => etcd.run('iptables -A INPUT -p tcp --dport 2379 -j REJECT --reject-with tcp-reset'),
    sign: /etcd: .*; waiting/,
  },
  {
    name: 'while etcd answers nothing',
    prepare: (etcd) => etcd.run('iptables -A INPUT -p tcp --dport 2379 -j DROP'),
    sign: /etcd: .*; waiting/,
  },
  { name: 'while there is no config', prepare: () => Promise.resolve(), sign: /no network config: .*; waiting/ },
  {
    name: 'while the range is exhausted',
    prepare: async (etcd) => {
      await etcd.configure(ONE)
      await etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.1.0-24`, vxlanValue('192.168.19.99', '0a:00:00:00:00:99'))
    },
    sign: /10\.2\.1\.0/,
  },
  {
    name: 'while 1,000 peers are being programmed',
    prepare: async (etcd) => {
      await etcd.configure(WIDE)
      await thousandPeers(etcd)
    },
    sign: /is ours/,
  },
  {
    name: 'with 1,000 peers',
    prepare: async (etcd) => {
      await etcd.configure(WIDE)
      await thousandPeers(etcd)
    },
    sign: /ready: /,
  },
]

for (const { name, prepare, sign } of STATES) {
  test.serial(`SIGTERM ${name}: ends with status 0`, async (t) => {
    const lab = await createLab(t)
    const lan = await lab.lan()
    const etcd = await startEtcd(lan)
    const host: Host = await lan.host(121)
    await prepare(etcd)
    const daemon = await startFlanneld(host, ARGS)
    await daemon.line(sign)
    await stops(t, name, daemon)
    if (name !== 'with 1,000 peers') return
    const routes = await host.run('ip route show proto 142 | grep -c -v blackhole')
    t.is(routes.trim(), '1000', 'all peers stay')
  })
}

test.serial('stopping leaves everything as it is: kernel, rules, subnet.env, lease, traffic', async (t) => {
  const cluster = await createCluster(t, { args: '-ip-masq' })
  const [a, b] = cluster.nodes as [Node, Node]
  await a.daemon.line(/firewall: IPv4/)
  const state = async (): Promise<unknown> => [
    await kernelText(a.host, READ_KERNEL),
    await kernelText(a.host, READ_RULES),
    await a.host.run('cat /run/flannel/subnet.env'),
    await cluster.etcd.leases(),
  ]
  const before = await state()
  const pings = await startPings(a.container, b.container.address)
  await waitForMorePings(pings, 20)
  await stops(t, 'with a peer', a.daemon)
  await waitForMorePings(pings, 50)
  t.deepEqual(await state(), before)
  await waitForMorePings(pings, 50)
  t.is((await pings.stop()).lost, 0)
})

test.serial(
  'SubnetMin and SubnetMax without our subnet, and whatever changes after them: kept until the next start, which reports it',
  async (t) => {
    const cluster = await createCluster(t)
    const [a, b] = cluster.nodes as [Node, Node]
    const pings = await startPings(a.container, b.container.address)
    await waitForMorePings(pings, 10)
    const third = Number(a.subnet.split('.')[2])
    const [low, high] = third < 128 ? [128, 255] : [1, 127]
    const place = { SubnetMin: `10.2.${low}.0`, SubnetMax: `10.2.${high}.0` }
    const key = `${PREFIX}/subnets/${a.subnet}.0-24`
    await a.host.run('cat >/run/new.json', JSON.stringify({ ...networkWith({}), ...place }))
    const check = await runVerb(a.host, 'config check /run/new.json')
    t.regex(check.output, new RegExp(`^  ${a.subnet}.0/24 +192\\.168\\.19\\.121$`, 'm'))
    await cluster.etcd.configure({ ...networkWith({}), ...place })
    await a.daemon.line(/network config changed/)
    for (const backend of [{ Type: 'host-gw' }, { DirectRouting: true }, {}]) {
      await cluster.etcd.configure({ ...networkWith(backend), ...place })
      const type = 'Type' in backend ? 'host-gw' : 'vxlan'
      const says = async (): Promise<boolean> => (await cluster.etcd.etcdctl(`get ${key}`)).includes(`"${type}"`)
      await waitFor(`the lease to say ${type}`, says)
      await waitForMorePings(pings, 20)
    }
    t.is((await pings.stop()).lost, 0)
    t.is((await waitForSubnetEnv(a.host, a.daemon))['FLANNEL_SUBNET'], `${a.subnet}.1/24`)
    await cluster.etcd.etcdctl(`del ${key}`)
    await a.daemon.line(new RegExp(`lease of ${a.subnet}.0/24 written again: key deleted`))

    await a.daemon.stop('SIGTERM')
    const again = await startFlanneld(a.host, ARGS)
    await again.line(
      new RegExp(`gave up ${a.subnet}.0/24 for 10\\..*: the network config has subnets of /24 from 10\\.2`),
    )
  },
)
