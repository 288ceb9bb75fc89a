// An etcd that answers everything, but late: calls, renewals and the watch get through, and no connection is thrown away for it.
import test from 'ava'
import { openStore } from '../../src/etcd/client.ts'
import { Patience } from '../../src/etcd/patience.ts'
import { startSlowProxy } from '../lab/actors/slow-proxy.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { openTestStore } from '../lab/world/store.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const LONG = 120_000

for (const [late, deadline] of [
  [3_000, undefined],
  [1_500, 200],
] as const) {
  test(`answers ${late} ms late, ${deadline ?? 5_000} allowed at first: each call of a store is answered, over one connection`, async (t) => {
    t.timeout(LONG * 2)
    const etcd = await startEtcd(t)
    const proxy = await startSlowProxy(etcd.port, late)
    t.teardown(() => {
      proxy.close()
    })
    const store = openTestStore(t, { endpoints: [`http://127.0.0.1:${proxy.port}`], deadline })
    t.is((await waitFor('a read', () => store.get('/s/a'), LONG)).entry, undefined)
    // What may not be done twice has time enough by now.
    const lease = await waitFor('a lease', () => store.grant(60), LONG)
    await waitFor('a write', () => store.commit([], [{ type: 'put', key: '/s/a', value: '', lease }]), LONG)
    t.is(await store.keepAlive(lease), 60)
    t.is((await store.range('/s/')).entries.length, 1)
    t.is(proxy.connections(), 1)
  })
}

test('answers 2 s late: the watch starts, reports changes, and stays through its pings', async (t) => {
  t.timeout(LONG * 2)
  const etcd = await startEtcd(t)
  const proxy = await startSlowProxy(etcd.port, 2_000)
  t.teardown(() => {
    proxy.close()
  })
  const store = openTestStore(t, { endpoints: [`http://127.0.0.1:${proxy.port}`], deadline: 1_000 })
  const direct = openTestStore(t, { endpoints: [etcd.url] })
  const put = (key: string): Promise<unknown> => direct.commit([], [{ type: 'put', key, value: '', lease: '0' }])
  await put('/s/first')
  const abort = new AbortController()
  t.teardown(() => {
    abort.abort()
  })
  const steps: string[] = []
  void (async () => {
    for await (const step of store.watch('/s/', abort.signal)) steps.push(step.type)
  })()
  await waitFor('the listing', () => steps.includes('snapshot'), LONG)
  await put('/s/second')
  await waitFor('the change', () => steps.includes('changes'), LONG)
  const since = performance.now()
  await waitFor('a ping', () => performance.now() - since > 11_000, LONG)
  await put('/s/third')
  await waitFor('another change', () => steps.filter((type) => type === 'changes').length >= 2, LONG)
  t.is(proxy.connections(), 1)
  t.is(steps.filter((type) => type === 'snapshot').length, 1)
})

test('three endpoints, all late: calls are answered', async (t) => {
  t.timeout(LONG * 2)
  const etcd = await startEtcd(t)
  const proxies = await Promise.all([1, 2, 3].map(() => startSlowProxy(etcd.port, 3_000)))
  t.teardown(() => {
    proxies.forEach((proxy) => {
      proxy.close()
    })
  })
  const store = openStore({ endpoints: proxies.map(({ port }) => `http://127.0.0.1:${port}`) })
  t.teardown(() => {
    store.close()
  })
  const lease = await waitFor('a lease', () => store.grant(60), LONG)
  t.is(await waitFor('a renewal', () => store.keepAlive(lease), LONG), 60)
  t.is((await waitFor('a listing', () => store.range('/s/'), LONG)).entries.length, 0)
})

test('patience doubles after a call in vain, once for calls that fail together, and follows the answers', (t) => {
  const patience = new Patience(5_000)
  patience.tooShort(5_000)
  patience.tooShort(5_000)
  t.is(patience.limit, 10_000)
  for (let i = 0; i < 10; i++) patience.tooShort(patience.limit)
  t.is(patience.limit, 60_000)
  patience.answered(6_000)
  t.is(patience.limit, 48_000)
  for (let i = 0; i < 20; i++) patience.answered(6_000)
  t.is(patience.limit, 18_000, 'three times what an answer takes')
  for (let i = 0; i < 20; i++) patience.answered(5)
  t.is(patience.limit, 5_000, 'never less than at first')
})
