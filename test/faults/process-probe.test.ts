// The addon of raw-socket is built for each Node that may run the program: the single file's and the oldest we support.
import test from 'ava'
import { networkWith, nodeOn } from '../lab/scenarios/cluster.ts'
import { BUNDLE_ON_20, SINGLE_FILE, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { waitForHealth } from '../lab/instruments/probe-results.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('the single file and the bundle on Node 20 probe each other', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure(networkWith({}))
  const [first, second] = [await lan.host(121), await lan.host(122)]
  const a = await nodeOn(first, await startFlanneld(first, ARGS, SINGLE_FILE))
  const b = await nodeOn(second, await startFlanneld(second, ARGS, BUNDLE_ON_20))
  const [here, there] = await Promise.all([
    waitForHealth(a, b, { state: 'up', pathMtu: 1450 }),
    waitForHealth(b, a, { state: 'up', pathMtu: 1450 }),
  ])
  t.log(`rtt ${here.rttMs} ms in the single file, ${there.rttMs} ms on Node 20`)
  t.notRegex(a.daemon.output() + b.daemon.output(), /no probes/)
})
