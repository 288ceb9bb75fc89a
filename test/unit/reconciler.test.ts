// The reconciler over a kernel in memory: what it writes, and what it leaves alone.
import test from 'ava'
import { hostGw } from '../../backends/host-gw/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import { BOOT_PROTOCOL, FLANNEL_PROTOCOL, KINDS, type Route, keyOf } from '../../src/kernel/state.ts'
import { FakeKernel } from '../fake/kernel.ts'
import { whileReconciling } from '../fake/reconciling.ts'
import { VXLAN_DEFAULTS, address, prefix, vxlanIntent, vxlanPeer } from '../fake/values.ts'

const foreign: Route = {
  kind: 'route',
  destination: prefix('10.2.7.0/24'),
  metric: 0,
  target: { type: 'gateway', gateway: address('192.168.19.1'), device: 'enp0s3', onlink: false },
  protocol: 4,
}

test('peers that left while the daemon was down go, foreign routes stay', async (t) => {
  const kernel = new FakeKernel()
  const stale: Route = {
    ...foreign,
    destination: prefix('10.2.9.0/24'),
    target: { type: 'gateway', gateway: address('10.2.9.0'), device: 'flannel.1', onlink: true },
    protocol: BOOT_PROTOCOL,
  }
  kernel.put(stale, foreign)
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler }) => {
    await reconciler.settled()
    t.true(kernel.has('route 10.2.9.0/24 0'), 'nothing goes before the first complete snapshot')
    reconciler.peersComplete()
    await reconciler.settled()
    t.false(kernel.has('route 10.2.9.0/24 0'))
    t.deepEqual(kernel.objects.get('route 10.2.7.0/24 0'), foreign)
  })
})

test('a peer that changes MAC and public IP leaves nothing of the old one', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(3, 122))
    reconciler.peersComplete()
    await reconciler.settled()
    set(vxlanPeer(3, 123))
    await reconciler.settled()
    const fdb = [...kernel.objects.values()].filter((object) => object.kind === 'fdb')
    t.deepEqual(
      fdb.map((entry) => entry.destination),
      [address('192.168.19.123')],
    )
  })
})

test('a second pass over an unchanged world writes nothing and logs nothing', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, lines, peers }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    const [written, said] = [kernel.written.length, lines.length]
    reconciler.audit()
    await reconciler.settled()
    reconciler.peersChanged(peers, [{ subnet: prefix('10.2.3.0/24'), before: vxlanPeer(3) }])
    await reconciler.settled()
    t.is(kernel.written.length, written)
    t.is(lines.length, said)
  })
})

test('one refused peer does not hold up the others, is reported once, and is applied when it can be', async (t) => {
  const kernel = new FakeKernel()
  kernel.refuse.set('route 10.2.3.0/24 0', 'ENETUNREACH')
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, lines }) => {
    set(vxlanPeer(3))
    set(vxlanPeer(4))
    const revision = reconciler.peersComplete()
    while (!kernel.has('route 10.2.4.0/24 0')) await new Promise(setImmediate)
    kernel.refuse.clear()
    await reconciler.settled(revision)
    t.true(kernel.has('route 10.2.3.0/24 0'))
    t.is(lines.filter((line) => line.includes('ENETUNREACH')).length, 1)
  })
})

test('an audit during our own changes reads no full dump, and still finds foreign changes', async (t) => {
  const kernel = new FakeKernel(true)
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, drop }) => {
    set(vxlanPeer(3))
    set(vxlanPeer(4))
    reconciler.peersComplete()
    await reconciler.settled()
    kernel.reads.length = 0
    for (const n of [5, 6, 7]) {
      set(vxlanPeer(n))
      if (n === 6) drop(prefix('10.2.3.0/24'))
      if (n === 7) set(vxlanPeer(4, 140))
      await reconciler.auditInTurns()
    }
    t.deepEqual(kernel.reads, [])
    kernel.objects.delete('route 10.2.5.0/24 0')
    set(vxlanPeer(8))
    await reconciler.auditInTurns()
    t.true(kernel.has('route 10.2.5.0/24 0'))
    t.true(kernel.has('route 10.2.8.0/24 0'))
    kernel.reads.length = 0
    await reconciler.auditInTurns()
    t.false(kernel.reads.includes('fdb'))
  })
})

test('a peer that comes with an audit goes ahead of it, and the audit is made all the same', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    kernel.reads.length = 0
    kernel.objects.delete('route 10.2.3.0/24 0')
    const apply = kernel.apply.bind(kernel)
    let readBefore: number | undefined
    kernel.apply = (changes) => {
      if (changes.some(({ object }) => keyOf(object) === 'route 10.2.4.0/24 0')) readBefore ??= kernel.reads.length
      return apply(changes)
    }
    const audited = reconciler.attempted(reconciler.audit())
    set(vxlanPeer(4))
    await audited
    t.is(readBefore, 0)
    t.true(kernel.reads.includes('route'))
    t.true(kernel.has('route 10.2.3.0/24 0'))
  })
})

test('a changed peer costs only its own writes and no reading', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, drop }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    kernel.reads.length = 0
    kernel.written.length = 0
    set(vxlanPeer(4))
    await reconciler.settled()
    t.is(kernel.written.length, 3)
    drop(prefix('10.2.4.0/24'))
    await reconciler.settled()
    t.deepEqual(
      kernel.written.slice(3).map((line) => line.split(' ').slice(0, 2).join(' ')),
      ['delete route', 'delete neighbor', 'delete fdb'],
    )
    t.deepEqual(kernel.reads, [])
  })
})

test('a foreign route that was there first is a conflict: reported, left alone, ours goes in when it is gone', async (t) => {
  const kernel = new FakeKernel()
  kernel.put(foreign)
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set, lines }) => {
    set(vxlanPeer(7))
    reconciler.peersComplete()
    await reconciler.settled()
    t.deepEqual(kernel.objects.get('route 10.2.7.0/24 0'), foreign)
    t.is(lines.filter((line) => line.includes('conflict')).length, 1)
    kernel.objects.delete('route 10.2.7.0/24 0')
    reconciler.drift({ type: 'drift', kind: 'route', what: 'deleted' })
    await reconciler.settled()
    t.like(kernel.objects.get('route 10.2.7.0/24 0'), { protocol: FLANNEL_PROTOCOL })
  })
})

test('a route of ours that another process replaced is restored', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(7))
    reconciler.peersComplete()
    await reconciler.settled()
    kernel.put(foreign)
    reconciler.drift({ type: 'drift', kind: 'route', what: 'replaced' })
    await reconciler.settled()
    t.like(kernel.objects.get('route 10.2.7.0/24 0'), { protocol: FLANNEL_PROTOCOL })
    t.is(reconciler.report.repairs.get('route'), 1)
  })
})

test('a deleted device comes back with its MAC, its address and the entries of every peer', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    for (let n = 30; n < 40; n++) set(vxlanPeer(n))
    reconciler.peersComplete()
    await reconciler.settled()
    const before = new Map(kernel.objects)
    const link = kernel.objects.get('link flannel.1')
    t.truthy(link)
    if (link) await kernel.apply([{ verb: 'delete', object: link }])
    reconciler.drift({ type: 'drift', kind: 'link', what: 'deleted' })
    await reconciler.settled()
    t.deepEqual(new Map([...kernel.objects].sort()), new Map([...before].sort()))
  })
})

test('a change of backend replaces routes in place, and the old device goes when nothing uses it', async (t) => {
  const kernel = new FakeKernel()
  const vx = { backend: vxlan, config: VXLAN_DEFAULTS }
  const gw = { backend: hostGw, config: null }
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    reconciler.want(vxlanIntent({ active: [gw, vx] }))
    await reconciler.settled()
    t.like(kernel.objects.get('route 10.2.3.0/24 0'), { target: { device: 'flannel.1' } })
    kernel.written.length = 0
    set({ ...vxlanPeer(3), type: 'host-gw', data: null })
    await reconciler.settled()
    t.is(kernel.written[0], 'replace route 10.2.3.0/24 0')
    reconciler.want(vxlanIntent({ active: [gw] }))
    await reconciler.settled()
    t.deepEqual([...kernel.objects.keys()].sort(), ['route 10.2.21.0/24 4294967295', 'route 10.2.3.0/24 0'])
  })
})

test('an audit reads kind by kind, repairs unreported changes, and lets a new peer go first', async (t) => {
  const kernel = new FakeKernel()
  await whileReconciling(vxlanIntent(), kernel, async ({ reconciler, set }) => {
    set(vxlanPeer(3))
    reconciler.peersComplete()
    await reconciler.settled()
    kernel.reads.length = 0
    kernel.objects.delete('route 10.2.3.0/24 0')
    kernel.objects.delete('fdb flannel.1 ' + (vxlanPeer(3).data as { mac: string }).mac)
    const audit = reconciler.auditInTurns()
    set(vxlanPeer(4))
    await reconciler.attempted()
    t.true(kernel.has('route 10.2.4.0/24 0'))
    t.true(kernel.reads.length < KINDS.length, 'the audit was not over')
    await audit
    t.deepEqual(kernel.reads, [...KINDS])
    t.true(kernel.has('route 10.2.3.0/24 0'))
    t.is(reconciler.report.repairs.get('fdb'), 1)
  })
})
