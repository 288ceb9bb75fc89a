// etcd loses its data. The hosts are alive, so nothing may be withdrawn before they have had time to register again.
import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { type Node, nodeOn, waitUntilReached } from '../lab/scenarios/cluster.ts'
import { ROOT, startFlanneld } from '../lab/actors/flanneld.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { createLab } from '../lab/world/lab.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const HOLD_MS = 8_000
const owner = fileOwner()
let etcd: EtcdHost
let nodes: readonly [Node, Node]

test.before(async () => {
  const lan = await (await createLab(owner)).lan()
  etcd = await startEtcd(lan, { config: CONFIG })
  // Older than every lease.
  await etcd.etcdctl('snapshot save /run/snap')
  const join = async (last: number): Promise<Node> => {
    const host = await lan.host(last)
    return nodeOn(host, await startFlanneld(host, argsFor(etcd)))
  }
  nodes = await Promise.all([join(121), join(122)])
  await waitUntilReached(...nodes)
})

/** The keys of leases now. */
async function leases(): Promise<readonly string[]> {
  return (await etcd.etcdctl(`get --prefix --keys-only ${PREFIX}/subnets/`)).split('\n').filter((line) => line !== '')
}

/** Loses data while containers ping: both hosts register again and no packet is lost; a host that joins after is seen. */
async function survives(
  t: ExecutionContext,
  fault: string,
  joins: number,
  lose: () => Promise<void>,
  line = /etcd lost data \(.*\): keeping \d+ peers for 5 min, registering again/,
): Promise<void> {
  const [one, two] = nodes
  const subnets = nodes.map(({ subnet }) => `${PREFIX}/subnets/${subnet}.0-24`).toSorted()
  const watched = await Promise.all(nodes.map(({ host, daemon }) => watchTraffic(host, daemon)))
  const pings = await startPings(one.container, two.container.address)
  await waitFor('pings', () => pings.received() > 5)
  await lose()
  const lost = performance.now()
  const registered = async (): Promise<boolean> => {
    const keys = await leases()
    return subnets.every((key) => keys.includes(key))
  }
  await waitFor('both registered', registered)
  const ms = performance.now() - lost
  await putPeer(etcd, joins)
  for (const { host } of nodes) await waitForPeer(host, joins, true)
  for (const it of watched) {
    t.is(countMatches(it.lines(), line), 1, it.lines().join('\n'))
    await waitFor('all known to be well', () => countMatches(it.lines(), /written again|lease moved/) > 0)
    t.is(countMatches(it.lines(), /lease moved|peer .* left/), 0)
    t.is(countMatches(it.lines(), new RegExp(`peer 10\\.2\\.${joins}\\.0/24 joined`)), 1)
    it.assertQuiet(t, 14)
  }
  const received = pings.received()
  await waitFor('pings after it', () => pings.received() > received + 20)
  t.is((await pings.stop()).lost, 0)
  await record({ fault, promise: 'registered again, nothing withdrawn', ms, result: 'no packet lost', test: t.title })
}

test.serial('all leases deleted at once: kept, registered again, no packet lost', (t) =>
  survives(
    t,
    'etcdctl del --prefix of all leases',
    40,
    async () => {
      await etcd.etcdctl(`del --prefix ${PREFIX}/subnets/`)
    },
    /leases were deleted \(our lease and others were deleted at once\): keeping \d+ peers for 10 s, registering again/,
  ),
)

// Daemons of their own, since a hold of five minutes is in force on those of the test before.
test.serial('etcd restored from an older snapshot: kept, registered again, no packet lost', async (t) => {
  await restartDaemons()
  for (const n of [50, 51, 52]) await putPeer(etcd, n)
  for (const { host } of nodes) for (const n of [50, 51, 52]) await waitForPeer(host, n, true)
  await survives(t, 'etcd restored from an older snapshot', 41, async () => {
    await etcd.kill()
    const cluster = `--name=host120 --initial-cluster=host120=http://${etcd.address}:2380`
    await etcd.run(
      `ETCDCTL_API=3 etcdctl snapshot restore /run/snap --data-dir=/run/restored ${cluster} --initial-advertise-peer-urls=http://${etcd.address}:2380`,
    )
    await etcd.start('/run/restored')
  })
  for (const { host } of nodes) for (const n of [50, 51, 52]) await waitForPeer(host, n, true)
  // No advice removes what keeps the peers.
  const doctor = await runVerb(nodes[0].host, 'doctor')
  t.notRegex(doctor.output, /does not follow etcd|left of a host that has gone/)
  t.regex((await runVerb(nodes[0].host, 'status')).output, /peers without a lease are kept for 5 min/)
})

test.serial('etcd with a new, empty data folder: kept, registered again, no packet lost', async (t) => {
  await restartDaemons()
  await survives(t, 'etcd emptied', 42, async () => {
    await etcd.kill()
    await etcd.start('/run/empty')
  })
})

test.serial('a host that did not register again by the end of the hold is withdrawn, the others stay', async (t) => {
  const [{ host, daemon, subnet }, two] = nodes
  await daemon.stop()
  await etcd.etcdctl(`put ${PREFIX}/config`, JSON.stringify(CONFIG))
  await putPeer(etcd, 70)
  const shortHold = await startFlanneld(
    host,
    `${HOLD_MS} ${argsFor(etcd)}`,
    `${process.execPath} --disable-warning=ExperimentalWarning ${join(ROOT, 'test/lab/actors/short-hold.ts')}`,
  )
  await shortHold.line(/ ready: /)
  await waitForPeer(host, 70, true)
  const { ours } = await kernelText(host)
  const lost = performance.now()
  await etcd.etcdctl(`del --prefix ${PREFIX}/subnets/`)
  await waitFor('the hold', () => countMatches(shortHold.output().split('\n'), /leases were deleted/) === 1)
  t.is((await kernelText(host)).ours, ours)
  await waitForPeer(host, 70, false)
  const ms = performance.now() - lost
  t.true(ms >= HOLD_MS, `withdrawn after ${ms} ms`)
  t.deepEqual((await leases()).toSorted(), [subnet, two.subnet].map((it) => `${PREFIX}/subnets/${it}.0-24`).toSorted())
  t.true((await kernelText(host)).ours.includes(`${two.subnet}.0/24 `))
  t.is(
    countMatches(shortHold.output().split('\n'), /peer .* left/),
    1 + countMatches(shortHold.output().split('\n'), /peer 10\.2\.4\d.* left/),
  )
})

async function restartDaemons(): Promise<void> {
  for (const node of nodes) {
    await node.daemon.stop()
    node.daemon = await startFlanneld(node.host, argsFor(etcd))
    await node.daemon.line(/ ready: /)
  }
}
