// Damage that no notification reports: the reconciler on a real kernel without a monitor, repaired by an audit alone.
import { only } from '../../src/ip/by-family.ts'
import test, { type ExecutionContext } from 'ava'
import { hostGw } from '../../backends/host-gw/index.ts'
import type { Peer } from '../../src/backend.ts'
import { LiveKernel } from '../../src/kernel/live.ts'
import { createLog } from '../../src/log.ts'
import type { Intent } from '../../src/reconcile/intent.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { prefix, selfWith, vxlanIntent, vxlanPeer } from '../fake/values.ts'
import { DAMAGES, type Damage, FOREIGN, type Target } from '../lab/scenarios/damage.ts'
import { kernelText } from '../lab/instruments/kernel-text.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { record } from '../lab/instruments/reliability.ts'

const PEERS = [22, 23].map((n) => vxlanPeer(n, 100 + n))
const TARGET: Target = {
  own: '10.2.21',
  peer: '10.2.22',
  mac: (PEERS[0]?.data as { readonly mac: string }).mac,
  address: '192.168.19.122',
}

/** A reconciler on a host's kernel without a monitor, and the lines it logs. */
function untold(t: ExecutionContext, host: Host): { readonly reconciler: Reconciler; readonly lines: string[] } {
  const kernel = new LiveKernel(`/proc/${host.pid}/ns/net`)
  const lines: string[] = []
  const log = createLog('kernel', 0, (line) => lines.push(line))
  const reconciler = new Reconciler(kernel, log)
  const stop = new AbortController()
  const running = reconciler.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
    kernel.close()
  })
  return { reconciler, lines }
}

/** Does each damage and audits; with the longest that took. */
async function auditEach(
  t: ExecutionContext,
  damages: readonly Damage[],
  intent: Intent,
  peers: readonly Peer[],
): Promise<number> {
  const lab = await createLab(t)
  const host = await (await lab.lan()).host(121)
  await host.run(`${FOREIGN}
    ip link add docker0 type bridge; ip addr add 10.2.21.1/24 dev docker0; ip link set docker0 up`)
  const { reconciler, lines } = untold(t, host)
  reconciler.want(intent)
  reconciler.peersChanged(
    new Map(peers.map((peer) => [peer.subnet, peer])),
    peers.map(({ subnet }) => ({ subnet, before: undefined })),
  )
  await reconciler.settled(reconciler.peersComplete())
  // So that kinds found sound are known by their digests, as in a daemon that has run for a while.
  for (const _ of [1, 2]) await reconciler.settled(reconciler.audit())

  let longest = 0
  for (const { fault, script } of damages) {
    const before = await kernelText(host)
    await host.run(script(TARGET))
    const damaged = await kernelText(host)
    // Down and up in one breath leaves VXLAN's routes over another device alone.
    if (fault !== 'uplink down and up') t.not(damaged.ours, before.ours, `${fault}: done, and not notified`)
    const start = performance.now()
    await reconciler.settled(reconciler.audit())
    longest = Math.max(longest, performance.now() - start)
    const repaired = await kernelText(host)
    t.is(repaired.ours, before.ours, `${fault}: repaired by the audit`)
    t.is(repaired.foreign, damaged.foreign, `${fault}: what is not ours is untouched`)
  }
  const { writes } = reconciler.report
  const said = lines.length
  for (const _ of [1, 2, 3]) await reconciler.settled(reconciler.audit())
  t.is(reconciler.report.writes, writes, 'three more audits write nothing')
  t.is(lines.length, said, 'and say nothing')
  return longest
}

for (const [mode, damages, intent] of [
  ['vxlan, nexthop objects', DAMAGES.all, vxlanIntent({ selves: only(4, selfWith(undefined, { nexthops: true })) })],
  ['host-gw', DAMAGES.hostGw, vxlanIntent({ active: [{ backend: hostGw, config: null }] })],
] as const) {
  test.serial(`with notifications cut off an audit repairs every damage, then writes nothing (${mode})`, async (t) => {
    const peers = mode === 'host-gw' ? PEERS.map((peer) => ({ ...peer, type: 'host-gw', data: null })) : PEERS
    const ms = Math.round(await auditEach(t, damages, intent, peers))
    const result = `all ${damages.length} of them; audits every 10 s`
    await record({
      fault: `any of these, no notifications (${mode})`,
      promise: 'repaired after the next audit',
      ms,
      result,
      test: t.title,
    })
  })
}

test.serial('an audit leaves a foreign route in the place of a new peer alone', async (t) => {
  const lab = await createLab(t)
  const host = await (await lab.lan()).host(121)
  await host.run('ip route add 10.2.22.0/24 via 192.168.19.120 dev enp0s3 proto static')
  const { reconciler, lines } = untold(t, host)
  reconciler.want(vxlanIntent())
  await reconciler.settled(reconciler.peersComplete())
  const peer = vxlanPeer(22, 122)
  await reconciler.settled(
    reconciler.peersChanged(new Map([[peer.subnet, peer]]), [{ subnet: prefix('10.2.22.0/24'), before: undefined }]),
  )
  for (const _ of [1, 2]) await reconciler.settled(reconciler.audit())
  t.regex(await host.run('ip route show 10.2.22.0/24'), /via 192\.168\.19\.120 dev enp0s3 proto static/)
  t.is(lines.filter((line) => line.includes('conflict:')).length, 1)
  await host.run('ip route del 10.2.22.0/24')
  await reconciler.settled(reconciler.audit())
  t.regex(await host.run('ip route show 10.2.22.0/24'), /via 10\.2\.22\.0 dev flannel\.1 proto 142 onlink/)
})
