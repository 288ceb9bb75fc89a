// Real daemons in which an observing part fails: traffic, repairs and peers are unaffected, and an operator sees it.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab, type Host } from '../lab/world/lab.ts'
import { scrape } from '../lab/instruments/scrape.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** Makes what the prober alone calls fail at one signal, and work at another. */
const FAULT = `
  const { equals } = Buffer.prototype
  process.on('SIGURG', () => { Buffer.prototype.equals = () => { throw new RangeError('made by the test') } })
  process.on('SIGWINCH', () => { Buffer.prototype.equals = equals })`

const HOLD = 60_000

const up = (host: Host, peers: number): Promise<boolean> =>
  waitFor(`${peers} peers up`, async () => (await scrape(host)).value('flannel_peers{state="up"}') === peers, HOLD)

test('hosts with their address on loopback, a fault in the prober, and no descriptor left for who connects', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, a, b, c] = await Promise.all([startEtcd(lan), lan.host(121), lan.host(122), lan.host(123)])
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  for (const [host, own] of [
    [a, 1],
    [b, 2],
    [c, 3],
  ] as const) {
    const others = [
      [a, 1],
      [b, 2],
      [c, 3],
    ] as const
    await host.run(`ip addr add 198.51.100.${own}/32 dev lo`)
    for (const [other, at] of others)
      if (other !== host) await host.run(`ip route add 198.51.100.${at} via ${other.address} src 198.51.100.${own}`)
    await host.run('cat >/run/fault.cjs', FAULT)
  }
  const args = (own: number): string =>
    `${ARGS.replace('-iface=enp0s3', `-iface=198.51.100.${own}`)} -healthz-port=9000 -probe-interval=1`
  const start = (host: Host, own: number): ReturnType<typeof startFlanneld> =>
    startFlanneld(host, args(own), `env NODE_OPTIONS=--require=/run/fault.cjs ${BUNDLE}`)
  const [on] = await Promise.all([start(a, 1), start(b, 2)])
  const env = await waitForSubnetEnv(a, on)
  t.is(env['FLANNEL_MTU'], '1450', 'what the interface carries, less the tunnel')
  t.regex(await a.run('ip -d link show flannel.1'), /vxlan id 1 local 198\.51\.100\.1 dev enp0s3/)
  await up(a, 1)

  on.kill('SIGURG')
  await on.line(/E.* probe: RangeError: made by the test/, HOLD)
  const faults = async (): Promise<number> => (await scrape(a)).value('flannel_part_faults_total{part="probe"}') ?? 0
  await waitFor('more faults', async () => (await faults()) > 3, HOLD)
  t.is(on.output().match(/made by the test/g)?.length, 1, 'it is reported once')
  const status = await runVerb(a, 'status')
  t.regex(status.output, /^● degraded +probe failed/)
  t.is(status.code, 1)
  // A peer that comes meanwhile is programmed as ever.
  await start(c, 3)
  await waitFor(
    'its route',
    async () => (await a.run('ip route show dev flannel.1')).trim().split('\n').length === 2,
    HOLD,
  )
  on.kill('SIGWINCH')
  await up(a, 2)

  // Who connects when no descriptor is left is turned away, again and again.
  const limit = (soft: number): Buffer => execFileSync('prlimit', [`--pid=${on.pid}`, `--nofile=${soft}:`])
  limit(1)
  for (let i = 0; i < 5; i++)
    await a.run(
      'curl -s -m 2 http://127.0.0.1:9000/healthz; curl -s -m 2 --unix-socket /run/flannel/flanneld.sock http://d/v1/peers; true',
    )
  limit(1024)
  await up(a, 2)
  t.deepEqual(await on.stop(), { code: 0, signal: null })
})
