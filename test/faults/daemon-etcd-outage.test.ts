// etcd away, black-holed or frozen under a running daemon: forwarding continues, and changes made meanwhile are seen afterwards.
import test from 'ava'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { createLab, type Lan } from '../lab/world/lab.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import type { Host } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let lan: Lan
let etcd: EtcdHost
let host: Host
let daemon: Running

test.before(async () => {
  lan = await (await createLab(owner)).lan()
  ;[etcd, host] = await Promise.all([startEtcd(lan, { config: CONFIG }), lan.host(121)])
  daemon = await startFlanneld(host, argsFor(etcd))
  await waitForSubnetEnv(host, daemon)
  for (const n of [30, 31, 32]) await putPeer(etcd, n)
  for (const n of [30, 31, 32]) await waitForPeer(host, n, true)
})

test.serial(
  'etcd stopped for 30 s: nothing is withdrawn, two log lines, little CPU; later changes are seen once',
  async (t) => {
    const watched = await watchTraffic(host, daemon)
    await etcd.kill()
    const stopped = performance.now()
    await waitFor('a line', () => countMatches(watched.lines(), /ECONNREFUSED/) > 0)
    await waitFor('30 s', () => performance.now() - stopped > 30_000, 60_000)
    t.is(countMatches(watched.lines(), /./), 2, watched.lines().join('\n'))
    const cpu = watched.cpu()
    t.true(cpu < 2, `${cpu.toFixed(1)}% of a core`)
    t.is((await kernelText(host)).ours, watched.before)
    watched.assertQuiet(t, 2)
    await etcd.start()
    await etcd.etcdctl('del /docker-test/network/subnets/10.2.30.0-24')
    await putPeer(etcd, 33)
    const ms = await waitForPeer(host, 33, true)
    await waitForPeer(host, 30, false)
    t.is(countMatches(watched.lines(), /peer 10\.2\.33\.0\/24 joined/), 1)
    t.is(countMatches(watched.lines(), /peer 10\.2\.30\.0\/24 left/), 1)
    t.is(countMatches(watched.lines(), /peer 10\.2\.3[12]/), 0)
    await waitFor(
      'the lease renewed',
      () => countMatches(watched.lines(), /not renewed/) === countMatches(watched.lines(), /renewed again/),
    )
    await record({
      fault: 'etcd stopped for 30 s',
      promise: 'forwarding continues, changes seen after',
      ms,
      result: `${cpu.toFixed(1)}% CPU`,
      test: t.title,
    })
    t.true(watched.lines().length <= 6, watched.lines().join('\n'))
  },
)

test.serial('connections black-holed without a reset: changes made meanwhile are seen without help', async (t) => {
  const watched = await watchTraffic(host, daemon)
  await etcd.blackHole()
  await putPeer(etcd, 34)
  const ms = await waitForPeer(host, 34, true, 60_000)
  await waitFor('the return reported', () => countMatches(watched.lines(), /etcd is back/) > 0)
  t.is(countMatches(watched.lines(), /peer 10\.2\.34\.0\/24 joined/), 1)
  t.true(watched.cpu() < 5, `${watched.cpu().toFixed(1)}% of a core`)
  await record({
    fault: 'connections to etcd black-holed',
    promise: 'changes seen within 15 s',
    limit: 15_000,
    ms,
    test: t.title,
  })
  watched.assertQuiet(t, 6)
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
    const watched = await watchTraffic(host, daemon)
    await waitFor('7 s', () => performance.now() - began > 7_000)
    t.is((await askHealthPort(host, '/readyz')).status, 503)
    t.deepEqual(watched.lines(), [], 'said once')
    await etcd.start()
    const up = performance.now()
    await waitFor('ready', async () => (await askHealthPort(host, '/readyz')).status === 200)
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
    watched.assertQuiet(t, 12)
  },
)
