// Every netlink operation fails once, each in its own run: the kernel ends up as wanted, with nothing left over and nothing
// foreign touched. The kernel is real; faults are injected below the codec.
import { only } from '../../src/ip/by-family.ts'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { KindComparison } from '../../src/kernel/diff.ts'
import { LiveKernel } from '../../src/kernel/live.ts'
import { startMonitor } from '../../src/kernel/monitor.ts'
import { KINDS } from '../../src/kernel/state.ts'
import { createLog } from '../../src/log.ts'
import { ERRNO } from '../../src/netlink/errno.ts'
import type { Peer } from '../../src/backend.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { type Intent, domainOf, hostObjects, peerObjects } from '../../src/reconcile/intent.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { ENP0S3, selfWith, vxlanIntent, vxlanPeer } from '../fake/values.ts'
import { type Fault, type Faults, inject } from '../lab/preload/netlink-faults.ts'
import { addCard } from '../lab/world/card.ts'
import { type Space, createSpace } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const test = anyTest as TestFn<{ space: Space }>

test.before(async (t) => {
  const space = await createSpace('faults')
  t.context = { space }
  await addCard(space, 'enp0s3', ['192.168.19.121/24'])
  await space.run(`ip route add 10.2.99.0/24 via 192.168.19.1 proto static
    ip route add 172.30.0.0/16 via 192.168.19.1 proto 142`)
})
test.after.always((t) => t.context.space.close())

/** Short, because the tests lose many acks. */
const LIMITS = { deadlineMs: 100 }
const pathOf = ({ pid }: Space): string => `/proc/${pid}/ns/net`
const intentWith = (mtu: number): Intent =>
  vxlanIntent({ selves: only(4, selfWith(undefined, { nexthops: true })) }, { mtu })

interface Outcome {
  readonly faults: Faults
  readonly lines: readonly string[]
}

/** Programs peers, changes most of it, and waits until the reconciler settles, with one fault injected. */
async function program(space: Space, fault: Fault | undefined): Promise<Outcome> {
  await space.run(
    'ip link del flannel.1 2>/dev/null; ip nexthop flush proto 142; ip route flush root 10.2.0.0/16 proto 142',
  )
  const kernel = new LiveKernel(pathOf(space), LIMITS)
  const lines: string[] = []
  const reconciler = new Reconciler(
    kernel,
    createLog('kernel', 0, (line) => lines.push(line)),
  )
  const stop = new AbortController()
  const peers = new Map<Prefix, Peer>()
  const set = (...all: readonly Peer[]): void => {
    const changes = all.map(({ subnet }) => ({ subnet, before: peers.get(subnet) }))
    for (const peer of all) peers.set(peer.subnet, peer)
    reconciler.peersChanged(peers, changes)
  }
  const faults = inject(fault)
  const running = reconciler.run(stop.signal)
  const settled = async (): Promise<void> => {
    let done = false
    void reconciler.settled().then(() => (done = true))
    await waitFor(`the reconciler under ${JSON.stringify(fault)}`, () => done).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${lines.join('')}`)
    })
  }
  try {
    reconciler.want(intentWith(1400))
    set(...[1, 2, 3, 4].map((n) => vxlanPeer(n)))
    reconciler.peersComplete()
    await settled()
    const gone = vxlanPeer(3).subnet
    const before = peers.get(gone)
    peers.delete(gone)
    reconciler.peersChanged(peers, [{ subnet: gone, before }])
    set(vxlanPeer(2, 222), vxlanPeer(5))
    reconciler.want(intentWith(1300))
    await settled()
  } finally {
    faults.remove()
    stop.abort()
    await running
    kernel.close()
  }
  return { faults, lines }
}

/** The changes the kernel still needs, read through a separate connection. */
async function left(space: Space): Promise<readonly unknown[]> {
  const kernel = new LiveKernel(pathOf(space))
  const intent = intentWith(1300)
  const wanted = [...hostObjects(intent)]
  for (const peer of [vxlanPeer(1), vxlanPeer(2, 222), vxlanPeer(4), vxlanPeer(5)]) {
    const needs = peerObjects(intent, peer)
    if (needs.ok) wanted.push(...needs.value)
  }
  const changes: unknown[] = []
  try {
    for (const kind of KINDS) {
      const actual = new Map(await kernel.observe(kind, [...domainOf(intent).devices]))
      const comparison = new KindComparison(actual, domainOf(intent), () => false)
      for (const object of wanted) if (object.kind === kind) changes.push(...[comparison.want(object) ?? []].flat())
      changes.push(...comparison.rest(), ...comparison.conflicts)
    }
  } finally {
    kernel.close()
  }
  return changes
}

/** Whether the fault happened; a send of one message has no half. */
async function heals(t: ExecutionContext<{ space: Space }>, fault: Fault): Promise<boolean> {
  const { space } = t.context
  const what = JSON.stringify(fault)
  const { faults, lines } = await program(space, fault)
  t.true(faults.struck() || fault.type === 'halved', what)
  t.deepEqual(await left(space), [], `${what}\n${lines.join('')}`)
  t.true(lines.filter((line) => line.startsWith('E')).length <= 2, `${what}\n${lines.join('')}`)
  return faults.struck()
}

/** The routes that are not ours. */
const foreign = (space: Space): Promise<string> => space.run('ip route show 10.2.99.0/24; ip route show 172.30.0.0/16')

/** Counts what can fail, in a run without a fault. */
async function count(t: ExecutionContext<{ space: Space }>): Promise<Faults> {
  const { faults, lines } = await program(t.context.space, undefined)
  t.deepEqual(await left(t.context.space), [])
  t.deepEqual(lines, [])
  return faults
}

const refusals = [ERRNO.EPERM, ERRNO.ENOMEM, ERRNO.EBUSY]

test.serial('each message is refused once, with EPERM, ENOMEM or EBUSY', async (t) => {
  const total = (await count(t)).messages()
  t.true(total > 40, `${total}`)
  t.log(`${total} messages`)
  const before = await foreign(t.context.space)
  for (let n = 1; n <= total; n++) {
    await heals(t, { type: 'refused', message: n, errno: refusals[n % 3] ?? ERRNO.EPERM })
  }
  t.is(await foreign(t.context.space), before)
})

test.serial('half of each batch is refused', async (t) => {
  const total = (await count(t)).sends()
  let batches = 0
  for (let call = 1; call <= total; call++) {
    if (await heals(t, { type: 'halved', call, errno: ERRNO.ENOMEM })) batches++
  }
  t.log(`${batches} batches`)
  t.true(batches > 1)
})

test.serial('each send fails once', async (t) => {
  const total = (await count(t)).sends()
  t.log(`${total} sends`)
  for (let call = 1; call <= total; call++) {
    await heals(t, { type: 'send', call, errno: call % 2 === 0 ? ERRNO.ENOBUFS : ERRNO.EPERM })
  }
})

test.serial('each answer is lost once, silently', async (t) => {
  const total = (await count(t)).receipts()
  t.log(`${total} answers`)
  for (let call = 1; call <= total; call++) await heals(t, { type: 'lost', call, errno: ERRNO.EAGAIN })
})

test.serial('each answer is lost once, and the socket says so (ENOBUFS)', async (t) => {
  const total = (await count(t)).receipts()
  for (let call = 1; call <= total; call++) await heals(t, { type: 'overrun', call, errno: ERRNO.ENOBUFS })
})

test.serial(
  'notifications lost with ENOBUFS lead to a full comparison, which finds what they would have reported',
  async (t) => {
    const { space } = t.context
    const kernel = new LiveKernel(pathOf(space))
    const lines: string[] = []
    const reconciler = new Reconciler(
      kernel,
      createLog('kernel', 0, (line) => lines.push(line)),
    )
    const stop = new AbortController()
    const running = reconciler.run(stop.signal)
    const peers = new Map([1, 2, 3, 4].map((n) => [vxlanPeer(n).subnet, vxlanPeer(n)]))
    reconciler.want(intentWith(1400))
    reconciler.peersChanged(
      peers,
      [...peers.keys()].map((subnet) => ({ subnet, before: undefined })),
    )
    await reconciler.settled(reconciler.peersComplete())
    const drifts: string[] = []
    await startMonitor(
      kernel,
      {
        isOurDevice: (name) => name === 'flannel.1',
        isExternalDevice: (name) => name === ENP0S3.name,
        isPeersVtep: () => false,
        isOurNetwork: () => true,
        onDrift: (drift) => {
          drifts.push(drift.type)
          reconciler.drift(drift)
        },
        onExternalChange: () => undefined,
        onFailure: (error) => drifts.push(error.message),
      },
      stop.signal,
      // The smallest receive buffer the kernel allows: a few notifications.
      1,
    )
    try {
      const before = await space.run(
        'ip route show proto 142; ip neigh show nud permanent; bridge fdb show dev flannel.1',
      )
      // Faster than the monitor reads, and more than the socket holds.
      await space.run(`ip route flush proto 142 root 10.2.0.0/16; ip neigh flush dev flannel.1 nud permanent
      ip link set flannel.1 down; for i in $(seq 1 40); do echo "neigh add 10.2.9.$i lladdr 0a:00:00:00:00:09 dev flannel.1"
      done | ip -batch -`)
      await waitFor('an overrun', () => drifts.includes('overrun'))
      await waitFor('all of it to be back', async () => {
        const now = await space.run(
          'ip route show proto 142; ip neigh show nud permanent; bridge fdb show dev flannel.1',
        )
        if (now !== before) throw new Error(now)
        return true
      })
      t.true(drifts.includes('overrun'))
      t.true([...reconciler.report.repairs.values()].reduce((sum, n) => sum + n, 0) > 4)
    } finally {
      stop.abort()
      await running
      kernel.close()
    }
  },
)
