// etcd away, black-holed or frozen under a running daemon: forwarding goes on, and what changed is seen after.
import test from 'ava'
import { ready, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { health } from '../lab/instruments/health-port.ts'
import { createLab, type Lan } from '../lab/world/lab.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import type { Host } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { record } from '../lab/instruments/reliability.ts'
import { peerIs, putPeer, times, vigil } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const closings: (() => Promise<void>)[] = []
let lan: Lan
let etcd: EtcdHost
let host: Host
let daemon: Running

test.before(async () => {
  lan = await (await createLab({ teardown: (close) => void closings.push(close) })).lan()
  ;[etcd, host] = await Promise.all([startEtcd(lan, { config: CONFIG }), lan.host(121)])
  daemon = await startFlanneld(host, argsFor(etcd))
  await ready(host, daemon)
  for (const n of [30, 31, 32]) await putPeer(etcd, n)
  for (const n of [30, 31, 32]) await peerIs(host, n, true)
})
test.after.always(async () => {
  for (const close of closings) await close()
})

test.serial(
  'etcd stopped for 30 s: nothing is withdrawn, two log lines, little CPU; later changes are seen once',
  async (t) => {
    const watched = await vigil(host, daemon)
    await etcd.kill()
    const stopped = performance.now()
    await waitFor('a line', () => times(watched.lines(), /ECONNREFUSED/) > 0)
    await waitFor('30 s', () => performance.now() - stopped > 30_000, 60_000)
    t.is(times(watched.lines(), /./), 2, watched.lines().join('\n'))
    const cpu = watched.cpu()
    t.true(cpu < 2, `${cpu.toFixed(1)}% of a core`)
    t.is((await kernelText(host)).ours, watched.before)
    watched.calm(t, 2)
    await etcd.start()
    await etcd.etcdctl('del /docker-test/network/subnets/10.2.30.0-24')
    await putPeer(etcd, 33)
    const ms = await peerIs(host, 33, true)
    await peerIs(host, 30, false)
    t.is(times(watched.lines(), /peer 10\.2\.33\.0\/24 joined/), 1)
    t.is(times(watched.lines(), /peer 10\.2\.30\.0\/24 left/), 1)
    t.is(times(watched.lines(), /peer 10\.2\.3[12]/), 0)
    await waitFor(
      'the lease renewed',
      () => times(watched.lines(), /not renewed/) === times(watched.lines(), /renewed again/),
    )
    await record({
      fault: 'etcd stopped for 30 s',
      promise: 'forwarding goes on, changes seen after',
      ms,
      result: `${cpu.toFixed(1)}% CPU`,
      test: t.title,
    })
    t.true(watched.lines().length <= 6, watched.lines().join('\n'))
  },
)

test.serial('connections black-holed without a reset: changes made meanwhile are seen without help', async (t) => {
  const watched = await vigil(host, daemon)
  await etcd.blackHole()
  await putPeer(etcd, 34)
  const ms = await peerIs(host, 34, true, 60_000)
  await waitFor('the return told', () => times(watched.lines(), /etcd is back/) > 0)
  t.is(times(watched.lines(), /peer 10\.2\.34\.0\/24 joined/), 1)
  t.true(watched.cpu() < 5, `${watched.cpu().toFixed(1)}% of a core`)
  await record({
    fault: 'connections to etcd black-holed',
    promise: 'changes seen within 15 s',
    limit: 15_000,
    ms,
    test: t.title,
  })
  watched.calm(t, 6)
})

test.serial(
  'started without etcd: reported at once, the old data path stays, ready without help when etcd comes',
  async (t) => {
    await daemon.stop()
    const subnet = await subnetEnv(host)
    await etcd.kill()
    daemon = await startFlanneld(host, argsFor(etcd))
    await daemon.line(/flanneld \d/)
    const began = performance.now()
    const line = await daemon.line(/; waiting$/)
    const told = performance.now() - began
    t.regex(line, /http:\/\/192\.168\.19\.120:2379.*ECONNREFUSED/)
    const watched = await vigil(host, daemon)
    await waitFor('7 s', () => performance.now() - began > 7_000)
    t.is((await health(host, '/readyz')).status, 503)
    t.deepEqual(watched.lines(), [], 'said once')
    await etcd.start()
    const up = performance.now()
    await waitFor('ready', async () => (await health(host, '/readyz')).status === 200)
    const ms = performance.now() - up
    t.deepEqual(await subnetEnv(host), subnet)
    t.is((await kernelText(host)).ours, watched.before)
    await record({
      fault: 'etcd absent at start',
      promise: 'starts within 6 s of etcd',
      limit: 6000,
      ms,
      test: t.title,
    })
    await record({
      fault: 'etcd absent, reported',
      promise: 'reported within 2 s',
      limit: 2000,
      ms: told,
      test: t.title,
    })
    watched.calm(t, 12)
  },
)
