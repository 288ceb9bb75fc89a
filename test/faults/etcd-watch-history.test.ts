// The watch where etcd itself is another than before: restored, emptied, with other members.
import { join } from 'node:path'
import test from 'ava'
import { openStore } from '../../src/etcd/client.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { waitForState, etcdBehindProxy, put, record } from '../lab/instruments/watch-record.ts'
import { type Etcd, startThreeEtcds } from '../lab/world/etcd.ts'

test('restored from an older snapshot: a new listing, not silence', async (t) => {
  const { direct, store, etcd } = await etcdBehindProxy(t)
  for (const key of ['/w/a', '/w/b']) await put(direct, key)
  const backup = join(etcd.folder, 'backup.db')
  await etcd.etcdctl(`snapshot save ${backup}`)
  const seen = record(t, store)
  for (const key of ['/w/c', '/w/d', '/w/e']) await put(direct, key)
  await waitForState('the first state', seen, direct)
  await etcd.kill()
  const restored = await restore(etcd, backup)
  await etcd.start(restored)
  await waitFor('the second listing', () => seen.count.snapshots === 2)
  t.deepEqual([...seen.state.keys()].toSorted(), ['/w/a', '/w/b'])
  await put(direct, '/w/f')
  await waitForState('the event after', seen, direct)
})

test('restored, and grown past our revision before we are back: a new listing', async (t) => {
  const { direct, store, etcd, proxy } = await etcdBehindProxy(t)
  for (const key of ['/w/a', '/w/b']) await put(direct, key)
  const backup = join(etcd.folder, 'backup.db')
  await etcd.etcdctl(`snapshot save ${backup}`)
  const seen = record(t, store)
  for (const key of ['/w/c', '/w/d']) await put(direct, key)
  await waitForState('the first state', seen, direct)
  await proxy.refuse()
  await etcd.kill()
  await etcd.start(await restore(etcd, backup))
  await waitFor('etcd to answer', () => put(direct, '/w/new').then(() => true))
  for (let i = 0; i < 10; i++) await put(direct, '/elsewhere')
  await proxy.pass()
  await waitForState('the new history', seen, direct)
  t.is(seen.count.snapshots, 2)
})

test('emptied and filled by others past our revision: a new listing', async (t) => {
  const { direct, store, etcd, proxy } = await etcdBehindProxy(t)
  for (const key of ['/w/a', '/w/b']) await put(direct, key)
  const seen = record(t, store)
  const deleted = await direct.commit([], [{ type: 'delete', key: '/w/b' }])
  t.truthy(deleted)
  await waitForState('the first state', seen, direct)
  await proxy.refuse()
  await etcd.kill()
  await etcd.start(join(etcd.folder, 'empty'))
  await waitFor('etcd to answer', () => put(direct, '/w/new').then(() => true))
  for (let i = 0; i < 10; i++) await put(direct, '/elsewhere')
  await proxy.pass()
  await waitForState('the new history', seen, direct)
  t.deepEqual([...seen.state.keys()], ['/w/new'])
  t.true(seen.count.otherHistories > 0, 'said to be another history')
})

test('one of three members killed, then another frozen: nothing missed', async (t) => {
  const members = await startThreeEtcds(t)
  const endpoints = members.map((member) => member.url)
  const store = openStore({ endpoints })
  t.teardown(() => {
    store.close()
  })
  const writer = openStore({ endpoints })
  t.teardown(() => {
    writer.close()
  })
  await put(writer, '/w/a')
  const seen = record(t, store)
  await waitFor('the snapshot', () => seen.count.snapshots === 1)
  let n = 0
  const write = async (): Promise<void> => {
    const key = `/w/${n++}`
    await waitFor('a write', () =>
      put(writer, key).then(
        () => true,
        () => false,
      ),
    )
  }
  for (const member of members) {
    await member.kill()
    for (let i = 0; i < 5; i++) await write()
    await waitForState('the events with a member dead', seen, writer)
    await member.start()
    await write()
    await waitForState('the events with all members', seen, writer)
  }
  for (const member of members) {
    member.freeze()
    for (let i = 0; i < 5; i++) await write()
    await waitForState('the events with a member frozen', seen, writer)
    member.thaw()
  }
  t.is(seen.count.snapshots, 1)
  t.is(new Set(seen.events).size, seen.events.length, 'none doubled')
})

test('a watch ends at its signal without an answer of etcd: connected, refused, black-holed', async (t) => {
  const { proxy, direct, store } = await etcdBehindProxy(t)
  await put(direct, '/w/a')
  const connected = record(t, store)
  await waitFor('the snapshot', () => connected.count.snapshots === 1)
  await connected.stop()
  await proxy.refuse()
  const refused = record(t, store)
  await waitFor('the failure to be reported', () => refused.count.disconnects === 1)
  await refused.stop()
  await proxy.pass()
  proxy.blackHole(true)
  const held = record(t, openStore({ endpoints: [`http://127.0.0.1:${proxy.port}`] }))
  const before = proxy.connections()
  await waitFor('an attempt', () => proxy.connections() >= before)
  await held.stop()
  t.is(held.count.snapshots, 0)
})

async function restore(etcd: Etcd, backup: string): Promise<string> {
  const folder = join(etcd.folder, 'restored')
  await etcd.etcdctl(`snapshot restore ${backup} --data-dir=${folder}`)
  return folder
}
