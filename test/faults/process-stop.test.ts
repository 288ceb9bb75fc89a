// SIGTERM ends the daemon within 2 s with status 0, whatever it is doing; forwarding stays as it is.
import test, { type ExecutionContext } from 'ava'
import { strays } from '../lab/instruments/log-lines.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import type { Running } from '../lab/world/process.ts'
import { stopAndRecord } from '../lab/instruments/stop-time.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

interface World {
  readonly etcd: EtcdHost
  readonly host: Host
}

const GOOD = { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } }
const ONE = { ...GOOD, SubnetMin: '10.2.5.0', SubnetMax: '10.2.5.0' }
const foreign = (name: string): { name: string; value: string } => ({
  name,
  value: vxlanValue('192.168.19.205', '0a:00:00:00:00:cd', { HostID: 'f'.repeat(32) }),
})
const freeze = ({ etcd }: World): void => {
  etcd.freeze()
}

/** A state: how to get a daemon there, and the line that says it is. */
interface State {
  readonly what: string
  readonly before?: (world: World) => Promise<void> | void
  readonly args?: string
  readonly line: RegExp
  readonly then?: (world: World, daemon: Running) => Promise<void> | void
}

const STATES: readonly State[] = [
  { what: 'waiting for an etcd that refuses', args: ARGS.replace(':2379', ':9'), line: /ECONNREFUSED/ },
  {
    what: 'waiting for an etcd in a black hole',
    before: async ({ etcd }) => {
      await etcd.run('iptables -I INPUT -i enp0s3 -p tcp --dport 2379 -j DROP')
    },
    line: /no answer/,
  },
  { what: 'waiting for a frozen etcd', before: freeze, line: /no answer/ },
  { what: 'waiting for a config', line: /no network config/ },
  {
    what: 'waiting for a free subnet',
    before: async ({ etcd }) => {
      await etcd.configure(ONE)
      await putLeases(etcd, [foreign('10.2.5.0-24')])
    },
    line: /no free subnet/,
  },
  {
    what: 'unable to write subnet.env',
    before: async ({ etcd, host }) => {
      await etcd.configure(GOOD)
      await host.run('mkdir /run/f && mount -t tmpfs -o ro none /run/f')
    },
    args: `${ARGS} -subnet-file=/run/f/subnet.env`,
    line: /cannot be written/,
  },
  { what: 'running', before: async ({ etcd }) => etcd.configure(GOOD), line: /ready: / },
  {
    what: 'running, with a frozen etcd',
    before: async ({ etcd }) => etcd.configure(GOOD),
    line: /ready: /,
    then: freeze,
  },
  {
    what: 'running, its lease lost',
    before: async ({ etcd }) => etcd.configure(ONE),
    line: /ready: /,
    then: async ({ etcd }, daemon) => {
      await putLeases(etcd, [foreign('10.2.5.0-24')])
      await daemon.line(/no free subnet/)
    },
  },
]

async function world(t: ExecutionContext): Promise<World> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  return { etcd, host }
}

for (const [at, { what, before, args = ARGS, line, then }] of STATES.entries()) {
  // Both signals, in turn.
  const signal = at % 3 === 2 ? 'SIGINT' : 'SIGTERM'
  test.serial(`${signal} when ${what}`, async (t) => {
    const it = await world(t)
    await before?.(it)
    const daemon = await startFlanneld(it.host, args)
    await daemon.line(line)
    await then?.(it, daemon)
    const state = 'ip -d link show type vxlan; ip route; ip neigh show nud permanent; bridge fdb'
    const kernel = await it.host.run(state)
    t.deepEqual(await stopAndRecord(t, daemon, `when ${what}`, signal), { code: 0, signal: null }, daemon.output())
    t.regex(daemon.output(), new RegExp(`${signal}: stopping`))
    t.is(await it.host.run(state), kernel)
    t.deepEqual(strays(daemon), [])
  })
}

test.serial('two signals still end it once, with status 0', async (t) => {
  const it = await world(t)
  await it.etcd.configure(GOOD)
  const daemon = await startFlanneld(it.host, ARGS)
  await waitForSubnetEnv(it.host, daemon)
  daemon.kill('SIGTERM')
  daemon.kill('SIGINT')
  t.deepEqual(await daemon.stop(), { code: 0, signal: null })
})
