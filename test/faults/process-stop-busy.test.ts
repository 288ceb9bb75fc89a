// SIGTERM at the worst moments: in the middle of programming thousands of peers, and at any instant of the start.
import test from 'ava'
import { strays } from '../lab/instruments/log-lines.ts'
import { ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { stopAndRecord } from '../lab/instruments/stop-time.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const PEERS = 10_000
const nonzero = (n: number): number | false => n > 100 && n
/**
 * Routes and nexthops first: deleted with their device, or with their network, they have the kernel hold the one lock of
 * all networks for seconds, in which not even other hosts of the lab can ask it anything.
 */
const REMOVE = 'ip route flush proto 142; ip nexthop flush protocol 142; ip link del flannel.1'
/** Subnets of made-up peers are below; see bench/fill.ts. */
const NETWORK = { Network: '10.0.0.0/8', SubnetMin: '10.254.0.0', Backend: { Type: 'vxlan' } }

test.serial(`SIGTERM in the middle of ${PEERS} peers: it ends; the next start completes them`, async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure(NETWORK)
  await etcd.run(`${process.execPath} ${ROOT}/bench/fill.ts http://127.0.0.1:2379 ${PREFIX} ${PEERS}`)
  const count = async (what: string): Promise<number> => Number(await host.run(`${what} dev flannel.1 2>&1 | wc -l`))
  for (const _ of [1, 2, 3]) {
    const daemon = await startFlanneld(host, ARGS)
    const entries = await waitFor('some peers', async () => nonzero(await count('bridge fdb show')), 60_000)
    t.true(entries < PEERS, 'it is in the middle')
    const exit = await stopAndRecord(t, daemon, `in the middle of ${PEERS} peers`)
    t.deepEqual(exit, { code: 0, signal: null }, daemon.output())
    t.deepEqual(strays(daemon), [])
    t.log(`asked at ${entries} peers, ended at ${await count('ip route show proto 142')}`)
    await host.run(REMOVE)
  }
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/ ready: /, 60_000)
  t.is(await count('ip route show proto 142'), PEERS)
  await daemon.stop()
  await host.run(REMOVE)
})

test.serial('SIGTERM at any instant of a start ends it, and not as a failure', async (t) => {
  const { host } = await createOneHost(t)
  for (let instant = 0; instant < 400; instant += 20) {
    const daemon = await startFlanneld(host, ARGS)
    // The instant itself is what is tested here: there is nothing to wait for.
    await new Promise((resolve) => setTimeout(resolve, instant))
    const exit = await stopAndRecord(t, daemon, `${instant} ms after a start`)
    // Before Node runs a line of ours the kernel ends the process, which to systemd is success as well.
    const early = daemon.output() === '' && exit.signal === 'SIGTERM'
    t.true(early || exit.code === 0, `${instant} ms: ${JSON.stringify(exit)} ${daemon.output()}`)
    t.deepEqual(strays(daemon), [], `${instant} ms`)
  }
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.stop()
})
