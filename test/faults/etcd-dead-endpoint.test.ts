// Renewals with an endpoint that stays dead, which must cost neither a renewal nor a line in the log.
import test from 'ava'
import { openStore } from '../../src/etcd/client.ts'
import { freePort } from '../lab/world/free-port.ts'
import { startEtcd } from '../lab/world/etcd.ts'

test('with one of two endpoints dead no renewal fails, whichever endpoint is tried first', async (t) => {
  const etcd = await startEtcd(t)
  const endpoints = [etcd.url, `http://127.0.0.1:${await freePort()}`]
  const granting = openStore({ endpoints: [etcd.url] })
  t.teardown(() => {
    granting.close()
  })
  const lease = await granting.grant(1000)
  const ttls: (number | undefined)[] = []
  for (let i = 0; i < 16; i++) {
    const store = openStore({ endpoints })
    t.teardown(() => {
      store.close()
    })
    ttls.push(await store.keepAlive(lease))
  }
  t.deepEqual(ttls, Array(16).fill(1000))
})
