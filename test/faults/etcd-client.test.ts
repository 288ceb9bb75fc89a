// Calls against a real etcd: causes of failure, deadlines, large listings.
import { createServer, type AddressInfo, type Socket } from 'node:net'
import test from 'ava'
import { OperatorError } from '../../src/errors.ts'
import { openStore } from '../../src/etcd/client.ts'
import { isOver, waitFor } from '../lab/instruments/wait.ts'
import { freePort } from '../lab/world/free-port.ts'
import { startEtcd, startThreeEtcds } from '../lab/world/etcd.ts'
import { etcdFailure, openTestStore } from '../lab/world/store.ts'

test('transactions, leases, listings: the calls of a Store', async (t) => {
  const etcd = await startEtcd(t)
  // A trailing slash, as in many a unit file.
  const store = openTestStore(t, { endpoints: [`${etcd.url}/`] })
  t.is((await store.get('/s/a')).entry, undefined)
  const lease = await store.grant(60)
  const write = { type: 'put', key: '/s/a', value: 'one', lease } as const
  const revision = await store.commit([{ key: '/s/a', modRevision: '0' }], [write])
  t.is(await store.commit([{ key: '/s/a', modRevision: '0' }], [write]), undefined, 'exists already')
  const { entry } = await store.get('/s/a')
  t.like(entry, { key: '/s/a', modRevision: revision, createRevision: revision, lease })
  t.is(entry?.value.toString(), 'one')
  t.is(await store.keepAlive(lease), 60)
  t.like(await store.timeToLive(lease), { granted: 60 })
  await store.revoke(lease)
  await store.revoke(lease)
  t.is((await store.get('/s/a')).entry, undefined)
  t.is(await store.keepAlive(lease), undefined)
  t.is(await store.timeToLive(lease), undefined)
  const unsure = await store.commit([{ key: '/s/a', modRevision: revision ?? '' }], [write])
  t.is(unsure, undefined, 'gone is not unchanged')
})

test('a listing of 12,000 keys and 14 MB is complete, of one revision, in few requests', async (t) => {
  const etcd = await startEtcd(t)
  const store = openTestStore(t, { endpoints: [etcd.url] })
  const value = 'x'.repeat(1_200)
  for (let i = 0; i < 12_000; i += 120) {
    const writes = Array.from(
      { length: 120 },
      (_, n) => ({ type: 'put', key: `/s/${i + n}`, value, lease: '0' }) as const,
    )
    await store.commit([], writes)
  }
  await store.commit([], [{ type: 'put', key: '/t', value: 'not under the prefix', lease: '0' }])
  const busy = new AbortController()
  const writing = (async () => {
    while (!isOver(busy.signal))
      await store.commit([], [{ type: 'put', key: `/s/new${Math.random()}`, value: '', lease: '0' }])
  })()
  const { entries, revision } = await store.range('/s/')
  busy.abort()
  await writing
  t.is(new Set(entries.map((entry) => entry.key)).size, entries.length)
  t.true(entries.length >= 12_000)
  t.is(entries.filter((entry) => BigInt(entry.modRevision) > BigInt(revision)).length, 0)
})

test('a refused connection is reported, with endpoint and cause', async (t) => {
  const port = await freePort()
  const error = await etcdFailure(openTestStore(t, { endpoints: [`http://127.0.0.1:${port}/`] }).get('/a'))
  t.is(error.why, 'unreachable')
  t.is(error.message, `etcd: http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`)
})

test('a server that never answers: calls end in time, and connections do not pile up', async (t) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.resume())
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await waitFor('the server', () => server.listening)
  const endpoints = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`]
  const store = openTestStore(t, { endpoints, deadline: 300 })
  const calls = [store.get('/a'), store.keepAlive('7'), store.grant(60), store.range('/')]
  for (const error of await Promise.all(calls.map(etcdFailure))) t.is(error.why, 'deadline', error.message)
  for (let i = 0; i < 3; i++) await etcdFailure(store.get('/a'))
  t.true(sockets.size <= 1, `${sockets.size} connections`)
  await waitFor('the connections to be given up', () => sockets.size === 0)
  const slow = await etcdFailure(openTestStore(t, { endpoints }).get('/a'))
  t.is(slow.why, 'unreachable')
  t.regex(slow.message, /no answer from 127.0.0.1:\d+$/)
})

test('a server that is not etcd is reported as such', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 no\r\n\r\n')).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await waitFor('the server', () => server.listening)
  const error = await etcdFailure(
    openTestStore(t, { endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`] }).get('/a'),
  )
  t.is(error.why, 'unreachable')
  t.regex(error.message, /is this etcd/)
})

test('with one of three endpoints dead every call succeeds, and with all dead the reason is reported', async (t) => {
  const members = await startThreeEtcds(t)
  const store = openTestStore(t, { endpoints: [members.map((member) => member.url).join(',')] })
  await store.get('/a')
  await members[0]?.kill()
  await waitFor('a leader', () => store.get('/a').then(() => true))
  for (let i = 0; i < 30; i++) {
    await store.commit([], [{ type: 'put', key: '/a', value: String(i), lease: '0' }])
    const lease = await store.grant(60)
    await waitFor('a renewal', () => store.keepAlive(lease).then((ttl) => ttl === 60))
  }
  for (const member of members) await member.kill()
  for (let i = 0; i < 5; i++) t.regex((await etcdFailure(store.get('/a'))).message, /ECONNREFUSED|dropped/)
})

for (const [what, endpoints] of [
  ['none', []],
  ['an empty one', ['']],
  ['another scheme', ['ftp://10.0.0.1:2379']],
  ['no port', ['http://10.0.0.1']],
  ['port 0', ['http://10.0.0.1:0']],
  ['a port out of range', ['http://10.0.0.1:70000']],
  ['a path', ['http://10.0.0.1:2379/v2']],
] as const) {
  test(`endpoints: ${what}: refused, naming the flag`, (t) => {
    t.regex(t.throws(() => openStore({ endpoints }), { instanceOf: OperatorError }).message, /^etcd-endpoints: /)
  })
}
