// Keeping our lease, against a real etcd.
import test from 'ava'
import { openStore } from '../../src/etcd/client.ts'
import { type Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { encodeValue } from '../../src/lease/codec.ts'
import { acquireLease } from '../../src/lease/own.ts'
import { startProxy } from '../lab/actors/proxy.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import {
  claimOf,
  etcdLeases,
  putForeignLease,
  keepAcquired,
  keyOf,
  startLeaseStore,
  leaseAt,
  PREFIX,
  range,
  valueOf,
} from '../lab/actors/lease-holder.ts'
import { primarySubnet } from '../../src/lease/lease.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'

test('renewals keep one etcd lease alive past its TTL and write nothing', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), { ...l.options, ttl: 2 })
  const { renewals, changes } = keepAcquired(l, claimOf(1), own, { ttl: 2 })
  const begin = performance.now()
  await waitFor('twice the TTL', () => performance.now() - begin > 4_500)
  t.is((await leaseAt(l.store, primarySubnet(own)))?.modRevision, own.modRevision)
  t.is(await etcdLeases(l.etcd), 1)
  t.true(renewals.length > 10)
  t.deepEqual(changes, [])
  t.deepEqual(l.lines, [])
})

test('own key deleted: the watch reports it and the same subnet is leased again, under the same etcd lease', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own, { interval: 60_000 })
  void (async () => {
    for await (const step of l.store.watch(`${PREFIX}/subnets/`, l.abort.signal)) keeper.observe(step)
  })()
  await l.store.commit([], [{ type: 'delete', key: own.key }])
  await waitFor('the key', async () => (await leaseAt(l.store, primarySubnet(own))) !== undefined)
  await waitFor('the change to be reported', () => changes.length === 1)
  t.like(changes[0], { why: 'key deleted' })
  t.is(primarySubnet(keeper.own()), primarySubnet(own))
  t.is(keeper.own().etcdLease, own.etcdLease)
  t.is(await etcdLeases(l.etcd), 1)
})

test('own key deleted, without a watch: the next renewal notices', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  keepAcquired(l, claimOf(1), own)
  await l.store.commit([], [{ type: 'delete', key: own.key }])
  await waitFor('the key', async () => (await leaseAt(l.store, primarySubnet(own))) !== undefined)
  t.pass()
})

test('etcd lease revoked: the same subnet under a new one', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own)
  await l.store.revoke(own.etcdLease)
  await waitFor('the change', () => changes.length === 1)
  t.is(primarySubnet(keeper.own()), primarySubnet(own))
  t.not(keeper.own().etcdLease, own.etcdLease)
  t.is((await leaseAt(l.store, primarySubnet(own)))?.lease, keeper.own().etcdLease)
  t.is(await etcdLeases(l.etcd), 1)
})

test('expired while cut off and taken by another: the new owner is never overwritten, another subnet is taken', async (t) => {
  const l = await startLeaseStore(t)
  const proxy = await startProxy(l.etcd.port)
  t.teardown(() => proxy.close())
  const far = openStore({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
  t.teardown(() => {
    far.close()
  })
  const own = await acquireLease(far, PREFIX, claimOf(1), { ...l.options, ttl: 2 })
  const { keeper, changes } = keepAcquired(l, claimOf(1), own, { ttl: 2 }, far)
  await proxy.refuse()
  await waitFor('expiry', async () => (await leaseAt(l.store, primarySubnet(own))) === undefined)
  const taker = await acquireLease(l.store, PREFIX, claimOf(2, { previous: own.subnets }), l.options)
  t.is(primarySubnet(taker), primarySubnet(own))
  await proxy.pass()
  await waitFor('another subnet', () => changes.length === 1)
  t.not(primarySubnet(keeper.own()), primarySubnet(own))
  const now = await leaseAt(l.store, primarySubnet(own))
  t.is(now?.modRevision, taker.modRevision, 'never written since')
  t.true(
    l.lines.some(
      (line) =>
        line === `E lease lost: ${primarySubnet(own)} is 192.168.19.2 (host id host-2)'s now: taking another subnet`,
    ),
    l.lines.join('\n'),
  )
  t.is(l.lines.filter((line) => line.includes('not renewed')).length, 1, 'one line for the outage')
  t.is(await etcdLeases(l.etcd), 2)
})

test('our key overwritten by another host: theirs stays, we move', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own)
  await putForeignLease(l.store, primarySubnet(own), '192.168.19.50', 'rude')
  const theirs = await leaseAt(l.store, primarySubnet(own))
  await waitFor('another subnet', () => changes.length === 1)
  t.not(primarySubnet(keeper.own()), primarySubnet(own))
  t.is((await leaseAt(l.store, primarySubnet(own)))?.modRevision, theirs?.modRevision)
})

test('a new public address or backend data is published in place, and only when it differs', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own, { interval: 60_000 })
  const moved = claimOf(33, {
    hostId: 'host-1',
    value: () => valueOf('192.168.19.33' as Address, 'host-1', 'aa:bb:cc:dd:ee:00'),
  })
  keeper.publish(moved)
  await waitFor('the change', () => changes.length === 1)
  t.is(primarySubnet(keeper.own()), primarySubnet(own))
  t.is(keeper.own().etcdLease, own.etcdLease)
  t.regex((await leaseAt(l.store, primarySubnet(own)))?.value ?? '', /192.168.19.33.*aa:bb:cc:dd:ee:00/)
  const { modRevision } = keeper.own()
  keeper.publish(moved)
  keeper.publish({ ...moved })
  const last = claimOf(33, {
    hostId: 'host-1',
    value: () => valueOf('192.168.19.33' as Address, 'host-1', 'aa:bb:cc:dd:ee:01'),
  })
  keeper.publish(last)
  await waitFor('the last change', async () => /ee:01/.test((await leaseAt(l.store, primarySubnet(own)))?.value ?? ''))
  t.is(BigInt((await leaseAt(l.store, primarySubnet(own)))?.modRevision ?? '0') - BigInt(modRevision), 1n, 'one write')
  t.is(await etcdLeases(l.etcd), 1)
})

test('another range in the config: the subnet is kept through a new value, a deleted key, a revoked etcd lease and an older copy', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(
    l.store,
    PREFIX,
    claimOf(1, { previous: onlySubnet('10.2.78.0/24' as Prefix) }),
    l.options,
  )
  t.is(primarySubnet(own), '10.2.78.0/24' as Prefix)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own)
  const value = () => valueOf('192.168.19.1' as Address, 'host-1', 'aa:bb:cc:dd:ee:00')
  keeper.publish(claimOf(1, { ranges: { ipv4: range(24), ipv6: undefined }, value }))
  await waitFor('the new value', () => changes.length === 1)
  await l.store.commit([], [{ type: 'delete', key: own.key }])
  await waitFor('the key', () => changes.length === 2)
  await l.store.revoke(keeper.own().etcdLease)
  await waitFor('a new etcd lease', () => changes.length === 3)
  const older = { type: 'put', key: keyOf('10.2.7.0/24'), value: encodeValue(value()), lease: '0' } as const
  await l.store.commit([], [older, { type: 'delete', key: own.key }])
  await waitFor('the key once more', () => changes.length === 4)
  t.is(primarySubnet(keeper.own()), primarySubnet(own))
  t.not(await leaseAt(l.store, primarySubnet(own)), undefined)
})

test('etcd emptied: the same subnet is registered again', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { keeper, changes } = keepAcquired(l, claimOf(1), own)
  await l.etcd.start(`${l.etcd.folder}/empty`)
  await waitFor('the change', () => changes.length === 1)
  t.is(primarySubnet(keeper.own()), primarySubnet(own))
  t.is((await leaseAt(l.store, primarySubnet(own)))?.lease, keeper.own().etcdLease)
})

test('keeping ends at its signal without an answer of etcd, and leaves the lease in etcd', async (t) => {
  const l = await startLeaseStore(t)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  for (const state of ['idle', 'frozen'] as const) {
    const abort = new AbortController()
    const { keeper, renewals } = keepAcquired(l, claimOf(1), own, { signal: abort.signal })
    await waitFor('a renewal', () => renewals.length > 0)
    if (state === 'frozen') l.etcd.freeze()
    abort.abort()
    await keeper.done
    if (state === 'frozen') l.etcd.thaw()
  }
  t.is((await leaseAt(l.store, primarySubnet(own)))?.lease, own.etcdLease)
})
