// The wall clock jumps by a day, there and back: a daemon's leases, deadlines and pauses follow elapsed time.
import test from 'ava'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { withClock } from '../lab/preload/preload.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

/** Gives a program another wall clock, which follows a file. */
function onClockOf(file: string): string {
  return `${withClock(`_TIMESTAMP_FILE=${file}`)} FAKETIME_CACHE_DURATION=1`
}

/** Seconds the daemon's etcd lease has left. */
async function secondsLeft(etcd: EtcdHost): Promise<number> {
  const id = /^\w{16}$/m.exec(await etcd.etcdctl('lease list'))?.[0] ?? ''
  return Number(/remaining\((\d+)s\)/.exec(await etcd.etcdctl(`lease timetolive ${id}`))?.[1])
}

/** Waits until the daemon renews its etcd lease, as it does every 10 s. */
async function renewed(etcd: EtcdHost): Promise<void> {
  let least = Infinity
  await waitFor('a renewal', async () => {
    const left = await secondsLeft(etcd)
    least = Math.min(least, left)
    return left > least
  })
}

test('the clock jumps a day ahead, and two back while etcd is down: renewed, followed, nothing withdrawn', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan, { config: CONFIG }), lan.host(121)])
  const clock = (offset: string): Promise<string> => host.run('cat >/run/clock', `${offset}\n`)
  await clock('+0')
  // A second endpoint, where nothing listens: failed endpoints are not tried for some time.
  const args = argsFor(etcd).replace(' ', ',http://192.168.19.120:2399 ')
  const daemon = await startFlanneld(host, args, `${onClockOf('/run/clock')} ${BUNDLE}`)
  t.teardown(() => {
    if (!t.passed) t.log(daemon.output())
  })
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const watched = await watchTraffic(host, daemon)
  const dayOf = async (n: number): Promise<string> =>
    (await daemon.line(new RegExp(`10\\.2\\.${n}\\.0/24 joined`))).slice(1, 5)
  await putPeer(etcd, 30)
  await waitForPeer(host, 30, true)

  await clock('+1d')
  // The clock is read again once a second.
  let n = 31
  await waitFor('a line of the next day', async () => {
    await putPeer(etcd, n)
    await waitForPeer(host, n, true)
    return (await dayOf(n++)) !== (await dayOf(30))
  })
  await renewed(etcd)

  await etcd.kill()
  await waitFor('the outage', () => countMatches(watched.lines(), /forwarding continues/) === 1)
  await waitFor('a failed renewal', () => countMatches(watched.lines(), /not renewed/) === 1)
  await clock('-1d')
  await etcd.start()
  const began = performance.now()
  await putPeer(etcd, 60)
  await waitForPeer(host, 60, true, 60_000)
  const ms = performance.now() - began
  t.not(await dayOf(60), await dayOf(30))
  await renewed(etcd)
  t.is(countMatches(watched.lines(), /peer .* (left|changed)/), 0)
  t.is((await etcd.etcdctl(`get --prefix --keys-only ${PREFIX}/subnets/`)).trim().split(/\s+/).length, n - 30 + 2)
  await record({
    fault: 'clock jumps of a day',
    promise: 'renewed and followed by the time that passes',
    ms,
    test: t.title,
  })
  watched.assertQuiet(t, n - 30 + 12)
})
