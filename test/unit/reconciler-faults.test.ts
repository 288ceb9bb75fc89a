// The reconciler with faults around it: what counts as a repair, and a kernel that cannot be read.
import test from 'ava'
import { createLog } from '../../src/log.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { FakeKernel } from '../fake/kernel.ts'
import { whileReconciling } from '../fake/reconciling.ts'
import { vxlanIntent, vxlanPeer } from '../fake/values.ts'
import { waitFor } from '../lab/instruments/wait.ts'

test('a peer that joins while something drifts is no repair, and what drifted is', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, drop, lines }) => {
    reconciler.peersComplete()
    set(vxlanPeer(1))
    await reconciler.settled()
    kernel.objects.delete('route 10.2.1.0/24 0')
    set(vxlanPeer(2))
    reconciler.drift({ type: 'overrun' })
    await reconciler.settled()
    t.deepEqual([...reconciler.report.repairs], [['route', 1]])
    drop(vxlanPeer(2).subnet)
    reconciler.drift({ type: 'overrun' })
    await reconciler.settled()
    t.false(kernel.has('route 10.2.2.0/24 0'))
    t.deepEqual([...reconciler.report.repairs], [['route', 1]])
    t.is(lines.filter((line) => line.includes('repaired')).length, 1)
  })
})

test('what another intent changes is no repair, though something drifts at the same time', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    reconciler.peersComplete()
    set(vxlanPeer(1))
    await reconciler.settled()
    reconciler.want(vxlanIntent({}, { mtu: 1300 }))
    reconciler.drift({ type: 'drift', kind: 'link', what: 'test' })
    await reconciler.settled()
    t.deepEqual([...reconciler.report.repairs], [])
  })
})

test('an unreadable kernel is reported once and counted as failing, and nothing counts as tried until it can be read', async (t) => {
  const kernel = new FakeKernel()
  const observe = kernel.observe.bind(kernel)
  const failing: number[] = []
  const lines: string[] = []
  const reconciler = new Reconciler(
    kernel,
    createLog('kernel', 0, (line) => lines.push(line)),
    (report) => failing.push(report.failing),
  )
  kernel.observe = () => Promise.reject(new Error('ENOBUFS'))
  const stop = new AbortController()
  const running = reconciler.run(stop.signal)
  let tried = false
  reconciler.want(vxlanIntent())
  void reconciler.attempted().then(() => (tried = true))
  await waitFor('two passes', () => failing.length === 2)
  t.deepEqual([failing, tried], [[1, 1], false])
  kernel.observe = observe
  await reconciler.settled()
  t.deepEqual([failing.at(-1), tried], [0, true])
  t.deepEqual(
    lines.map((line) => line.replace(/^(.).*\] /, '$1 ')),
    ['E pass broken off: ENOBUFS; reading the kernel again\n', 'I a pass went through again, after ENOBUFS\n'],
  )
  stop.abort()
  await running
})
