// Values and keys of any size in etcd: listings, reads and the watch give what is small, and a note of what is not.
import test from 'ava'
import { messageOf } from '../../src/errors.ts'
import { MOST_VALUE_BYTES, droppedBytes } from '../../src/etcd/oversized.ts'
import type { StoreEntry, Store } from '../../src/etcd/store.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { openTestStore } from '../lab/world/store.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const MB = 1024 * 1024

async function put(store: Store, key: string, bytes: number, fill = 'x'): Promise<void> {
  await store.commit([], [{ type: 'put', key, value: fill.repeat(bytes), lease: '0' }])
}

/** All bytes that entries keep in memory. */
function kept(entries: readonly StoreEntry[]): number {
  return [...new Set(entries.map(({ value }) => value.buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

test('sixty values of 1.2 MB among the leases: a listing is complete, and none of them stays in memory', async (t) => {
  const etcd = await startEtcd(t)
  const store = openTestStore(t, { endpoints: [etcd.url] })
  const bytes = Math.round(1.2 * MB)
  for (let i = 0; i < 60; i++) {
    await put(store, `/s/${i}-large`, bytes)
    await put(store, `/s/${i}-small`, 200)
  }
  const { entries } = await store.range('/s/')
  t.is(entries.length, 120)
  t.is(new Set(entries.map(({ key }) => key)).size, 120)
  for (const { key, value } of entries) {
    if (key.endsWith('large')) t.is(droppedBytes(value), bytes, key)
    else t.is(value.toString(), 'x'.repeat(200), key)
  }
  t.true(kept(entries) < MB, `${kept(entries)} bytes`)
  const one = await store.get('/s/0-large')
  t.is(one.entry && droppedBytes(one.entry.value), bytes)
})

test('long keys, and a value larger than any answer may be, are listed, read and reported by the watch as what they are', async (t) => {
  const etcd = await startEtcd(t, { args: '--max-request-bytes=33554432' })
  const store = openTestStore(t, { endpoints: [etcd.url], deadline: 20_000 })
  await put(store, '/s/a', 10)
  const abort = new AbortController()
  t.teardown(() => {
    abort.abort()
  })
  const seen = new Map<string, Buffer>()
  const entries: StoreEntry[] = []
  void (async () => {
    for await (const step of store.watch('/s/', abort.signal)) {
      if (step.type === 'snapshot') entries.push(...step.snapshot.entries)
      if (step.type === 'changes') entries.push(...step.changes.flatMap((it) => (it.type === 'put' ? [it.entry] : [])))
      for (const { key, value } of entries) seen.set(key, value)
    }
  })()
  await waitFor('the watch', () => seen.has('/s/a'))
  await put(store, `/s/${'k'.repeat(MB)}1`, 10)
  await put(store, `/s/${'k'.repeat(MB)}2`, 10)
  await put(store, '/s/medium', MOST_VALUE_BYTES + 1)
  await put(store, '/s/largest', MOST_VALUE_BYTES)
  await waitFor('the watch to report both', () => seen.has('/s/medium') && seen.has('/s/largest'))
  t.is(droppedBytes(seen.get('/s/medium') ?? Buffer.alloc(0)), MOST_VALUE_BYTES + 1)
  t.is(seen.get('/s/largest')?.length, MOST_VALUE_BYTES)
  t.true(kept(entries) < MB, `${kept(entries)} bytes`)
  // More than one answer can hold: the watch cannot report it, and continues after it.
  await put(store, '/s/vast', 17 * MB)
  await put(store, '/s/z', 10)
  await waitFor('the watch to continue', () => seen.has('/s/z') && seen.has('/s/vast'))
  t.true((droppedBytes(seen.get('/s/vast') ?? Buffer.alloc(0)) ?? 0) > MOST_VALUE_BYTES)
  const listed = (await store.range('/s/')).entries
  const names = listed.map(({ key }) => key.replaceAll(/k+/g, 'k'))
  t.deepEqual(
    names.map((key) => key.replace(/\(.*/, '')),
    ['/s/a', '/s/k...', '/s/k...', '/s/largest', '/s/medium', '/s/vast', '/s/z'],
  )
  t.is(new Set(names).size, 7, 'two long keys stay two')
  t.true(Math.max(...listed.map(({ key }) => key.length)) < 1_000)
  t.is((await store.get('/s/z')).entry?.value.length, 10)
  const vast = await store.get('/s/vast').catch(messageOf)
  t.true(typeof vast === 'object' && (droppedBytes(vast.entry?.value ?? '') ?? 0) > MOST_VALUE_BYTES)
})
