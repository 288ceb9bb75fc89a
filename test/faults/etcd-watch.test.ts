// The watch where the connection is bad: cut, black-holed, frozen, compacted meanwhile.
import test from 'ava'
import { record as note } from '../lab/instruments/reliability.ts'
import { isOver, waitFor } from '../lab/instruments/wait.ts'
import { waitForState, etcdBehindProxy, put, record } from '../lab/instruments/watch-record.ts'

test('3,000 writes and deletions while the connection is cut again and again: none missed, none doubled', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/first')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  const written: string[] = []
  const busy = new AbortController()
  const cutting = (async () => {
    for (let n = 0; !isOver(busy.signal); n++) {
      const connected = proxy.connections()
      await waitFor('a new connection', () => isOver(busy.signal) || proxy.connections() > connected || n === 0)
      // Cut at odd moments: right at the start of a replay, or some events later.
      const events = seen.events.length
      if (n % 2 === 0) await waitFor('some events', () => isOver(busy.signal) || seen.events.length > events)
      proxy.cut()
    }
  })()
  for (let i = 0; i < 3_000; i++) {
    const key = `/w/${i % 200}`
    if (i % 7 === 6) {
      const revision = await direct.commit([], [{ type: 'delete', key: `/w/${(i - 1) % 200}` }])
      written.push(`delete /w/${(i - 1) % 200}@${revision ?? ''}`)
    } else {
      written.push(`put ${key}@${await put(direct, key, String(i))}`)
    }
  }
  busy.abort()
  await cutting
  await waitForState('all events', seen, direct)
  t.deepEqual(seen.events, written)
  t.is(seen.count.snapshots, 1, 'continuity was never lost')
  t.true(seen.count.disconnects >= 3, `cut ${seen.count.disconnects} times`)
})

test('back by itself after etcd, with what was written meanwhile', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  await proxy.refuse()
  await waitFor('the loss to be reported', () => seen.count.disconnects > 0)
  const b = await put(direct, '/w/b')
  await proxy.pass()
  await waitFor('the event', () => seen.events.length === 1)
  t.deepEqual(seen.events, [`put /w/b@${b}`])
})

test('a reconnection without events is reported by an empty step', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  proxy.cut()
  await waitFor('the loss to be reported', () => seen.count.disconnects === 1)
  await waitFor('the return to be reported', () => seen.count.steps === 3)
  t.is(seen.count.snapshots, 1)
  t.deepEqual(seen.events, [])
})

test('compaction while cut off gives a new listing, and the watch continues after it', async (t) => {
  const { proxy, direct, store, etcd } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  await put(direct, '/w/b')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  await proxy.refuse()
  await put(direct, '/w/a', 'changed')
  await direct.commit([], [{ type: 'delete', key: '/w/b' }])
  const last = await put(direct, '/w/c')
  await etcd.etcdctl(`compact ${last}`)
  await proxy.pass()
  await waitFor('the second listing', () => seen.count.snapshots === 2)
  await waitForState('the listing', seen, direct)
  const next = await put(direct, '/w/d')
  await waitForState('the event after', seen, direct)
  t.deepEqual(seen.events, [`put /w/d@${next}`])
})

test('events larger than one message arrive complete after a gap', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  await proxy.refuse()
  const written: string[] = []
  for (let i = 0; i < 60; i++) written.push(`put /w/${i}@${await put(direct, `/w/${i}`, 'x'.repeat(200_000))}`)
  await proxy.pass()
  await waitForState('12 MB of events', seen, direct)
  t.deepEqual(seen.events, written)
})

test('a black-holed connection is noticed and replaced', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  await put(direct, '/w/settled')
  await waitFor('the watch to run', () => seen.events.length === 1)
  proxy.blackHole()
  const begin = performance.now()
  const b = await put(direct, '/w/b')
  await waitFor('the event', () => seen.events.length === 2, 60_000)
  t.is(seen.events[1], `put /w/b@${b}`)
  const ms = Math.round(performance.now() - begin)
  const promise = 'replaced within 15 s'
  await note({ fault: 'a connection to etcd black-holed', promise, limit: 15_000, ms, test: t.title })
})

test('connections black-holed while they are made are replaced once the path is open', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  proxy.cut()
  proxy.blackHole(true)
  const before = proxy.connections()
  await waitFor('attempts', () => proxy.connections() > before + 1)
  const b = await put(direct, '/w/b')
  // What was under way stays swallowed.
  await proxy.pass()
  const begin = performance.now()
  await waitFor('the event', () => seen.events.includes(`put /w/b@${b}`), 60_000)
  t.is(seen.count.snapshots, 1)
  const ms = Math.round(performance.now() - begin)
  const promise = 'replaced within 15 s of the path being open'
  await note({ fault: 'connections to etcd black-holed when made', promise, limit: 15_000, ms, test: t.title })
})

test('a frozen etcd is noticed, and followed when it goes on', async (t) => {
  const { direct, store, etcd } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  await put(direct, '/w/settled')
  await waitFor('the watch to run', () => seen.events.length === 1)
  etcd.freeze()
  const begin = performance.now()
  await waitFor('the loss to be reported', () => seen.count.disconnects > 0, 60_000)
  const ms = Math.round(performance.now() - begin)
  await note({ fault: 'etcd frozen', promise: 'noticed within 15 s', limit: 15_000, ms, test: t.title })
  etcd.thaw()
  const b = await waitFor('etcd to answer', () => put(direct, '/w/b').catch(() => false as const), 60_000)
  await waitForState('the event', seen, direct, 60_000)
  t.true(seen.events.includes(`put /w/b@${b}`))
  t.is(seen.count.snapshots, 1)
})
