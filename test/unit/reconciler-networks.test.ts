// The reconciler with two networks on one host: the kernel holds what both want.
import { only } from '../../src/ip/by-family.ts'
import test from 'ava'
import type { Peer } from '../../src/backend.ts'
import { type Route, FLANNEL_PROTOCOL } from '../../src/kernel/state.ts'
import { FakeKernel } from '../fake/kernel.ts'
import { whileReconciling } from '../fake/reconciling.ts'
import { address, prefix, selfWith, vxlanIntent, vxlanPeer } from '../fake/values.ts'

const SECOND = { name: 'the second network' }
const second = vxlanIntent(
  { selves: only(4, selfWith(undefined, { network: prefix('10.50.0.0/16'), subnet: prefix('10.50.21.0/24') })) },
  { vni: 256 },
)
const secondPeer: Peer = { ...vxlanPeer(3), subnet: prefix('10.50.3.0/24') }

test('each network gets its device and the routes of its peers, and neither removes those of the other', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    reconciler.want(second, SECOND)
    reconciler.peersChanged(
      new Map([[secondPeer.subnet, secondPeer]]),
      [{ subnet: secondPeer.subnet, before: undefined }],
      SECOND,
    )
    await reconciler.settled(reconciler.peersComplete(SECOND))
    await reconciler.settled(reconciler.audit())
    for (const key of ['link flannel.1', 'link flannel.256', 'route 10.2.3.0/24 0', 'route 10.50.3.0/24 0'])
      t.true(kernel.has(key), key)
  })
})

test('nothing is removed before the peers of both networks are complete', async (t) => {
  const kernel = new FakeKernel()
  const stale: Route = {
    kind: 'route',
    destination: prefix('10.50.9.0/24'),
    metric: 0,
    target: { type: 'gateway', gateway: address('10.50.9.0'), device: 'flannel.256', onlink: true },
    protocol: FLANNEL_PROTOCOL,
  }
  kernel.put(stale)
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler }) => {
    reconciler.want(second, SECOND)
    await reconciler.settled(reconciler.peersComplete())
    t.true(kernel.has('route 10.50.9.0/24 0'), 'the second network has not listed its peers')
    await reconciler.settled(reconciler.peersComplete(SECOND))
    t.false(kernel.has('route 10.50.9.0/24 0'))
  })
})

test('a peer that leaves one network takes nothing from the other', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, drop }) => {
    set(vxlanPeer(3))
    reconciler.want(second, SECOND)
    const peers = new Map([[secondPeer.subnet, secondPeer]])
    reconciler.peersChanged(peers, [{ subnet: secondPeer.subnet, before: undefined }], SECOND)
    reconciler.peersComplete()
    await reconciler.settled(reconciler.peersComplete(SECOND))
    drop(prefix('10.2.3.0/24'))
    await reconciler.settled()
    t.false(kernel.has('route 10.2.3.0/24 0'))
    t.true(kernel.has('route 10.50.3.0/24 0'))
  })
})
