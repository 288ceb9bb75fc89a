// Obtaining our lease, against a real etcd.
import test from 'ava'
import { openStore } from '../../src/etcd/client.ts'
import type { Store } from '../../src/etcd/store.ts'
import { type Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import type { Claim } from '../../src/lease/found.ts'
import { acquireLease } from '../../src/lease/own.ts'
import { record } from '../lab/instruments/reliability.ts'
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
import { onlySubnet, only } from '../../src/ip/by-family.ts'

/** Ten renewals' time for the living hosts of these tests: this process has more to do than to renew. */
const ALIVE_SECONDS = 6

test('100 hosts starting at once on 120 subnets, ten times over: all distinct, none fails, no etcd lease left over', async (t) => {
  const { etcd, options } = await startLeaseStore(t)
  const stores = Array.from({ length: 10 }, () => openStore({ endpoints: [etcd.url] }))
  t.teardown(() => {
    stores.forEach((store) => {
      store.close()
    })
  })
  const times: number[] = []
  for (let round = 0; round < 10; round++) {
    const begin = performance.now()
    const owned = await Promise.all(
      Array.from({ length: 100 }, (_, n) => acquireLease(stores[n % 10] as Store, PREFIX, claimOf(n), options)),
    )
    times.push(Math.round(performance.now() - begin))
    t.is(new Set(owned.map((own) => primarySubnet(own))).size, 100)
    t.is(await etcdLeases(etcd), 100)
    for (const own of owned) await stores[0]?.revoke(own.etcdLease)
  }
  t.log(`all have a lease after ${times.join(', ')} ms`)
})

test('on exactly as many subnets as hosts each gets one', async (t) => {
  const { store, options, etcd } = await startLeaseStore(t)
  const ranges = { ipv4: range(40), ipv6: undefined }
  const owned = await Promise.all(
    Array.from({ length: 40 }, (_, n) => acquireLease(store, PREFIX, claimOf(n, { ranges }), options)),
  )
  t.is(new Set(owned.map((own) => primarySubnet(own))).size, 40)
  t.is(await etcdLeases(etcd), 40)
})

test('a lease is in etcd as Go writes it, with our host id, under an etcd lease of a day', async (t) => {
  const { store, options } = await startLeaseStore(t)
  const own = await acquireLease(store, PREFIX, claimOf(1), options)
  const found = await leaseAt(store, primarySubnet(own))
  t.is(
    found?.value,
    '{"PublicIP":"192.168.19.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"HostID":"host-1"}',
  )
  t.is(found?.lease, own.etcdLease)
  t.like(await store.timeToLive(own.etcdLease), { granted: 86_400 })
})

test('a restart adopts subnet and etcd lease without a write', async (t) => {
  const { store, options, etcd } = await startLeaseStore(t)
  const first = await acquireLease(store, PREFIX, claimOf(1), options)
  for (let i = 0; i < 5; i++) t.deepEqual(await acquireLease(store, PREFIX, claimOf(1), options), first)
  t.is(await etcdLeases(etcd), 1)
})

test("Go's lease with our address is adopted with its etcd lease and gets our host id", async (t) => {
  const { store, options, etcd } = await startLeaseStore(t)
  const lease = await putForeignLease(store, '10.2.77.0/24', '192.168.19.1')
  const own = await acquireLease(store, PREFIX, claimOf(1), options)
  t.is(primarySubnet(own), '10.2.77.0/24' as Prefix)
  t.is(own.etcdLease, lease)
  t.regex((await leaseAt(store, primarySubnet(own)))?.value ?? '', /"HostID":"host-1"}$/)
  t.is(await etcdLeases(etcd), 1)
})

test('an etcd lease too short to be kept is not adopted', async (t) => {
  const { store, options } = await startLeaseStore(t)
  const lease = await putForeignLease(store, '10.2.77.0/24', '192.168.19.1', undefined, 8)
  const own = await acquireLease(store, PREFIX, claimOf(1), options)
  t.is(primarySubnet(own), '10.2.77.0/24' as Prefix)
  t.not(own.etcdLease, lease)
  t.like(await store.timeToLive(own.etcdLease), { granted: 86_400 })
})

test('a reservation stays one over starts and renewals', async (t) => {
  const l = await startLeaseStore(t)
  await putForeignLease(l.store, '10.2.77.0/24', '192.168.19.1', undefined, 0)
  const own = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  t.like(own, { subnets: onlySubnet('10.2.77.0/24' as Prefix), etcdLease: '0' })
  t.deepEqual(await acquireLease(l.store, PREFIX, claimOf(1), l.options), own)
  const { renewals, changes } = keepAcquired(l, claimOf(1), own)
  await waitFor('three renewals', () => renewals.length >= 3)
  t.is((await leaseAt(l.store, primarySubnet(own)))?.lease, '0')
  t.is(await etcdLeases(l.etcd), 0)
  t.deepEqual(changes, [])
})

test('the previous subnet is taken again when it is free, and not when another has it', async (t) => {
  const { store, options } = await startLeaseStore(t)
  const previousSubnet = '10.2.99.0/24' as Prefix
  t.is(
    primarySubnet(await acquireLease(store, PREFIX, claimOf(1, { previous: onlySubnet(previousSubnet) }), options)),
    previousSubnet,
  )
  t.not(
    primarySubnet(await acquireLease(store, PREFIX, claimOf(2, { previous: onlySubnet(previousSubnet) }), options)),
    previousSubnet,
  )
})

test('a lease outside the config is given up with the new one, its etcd lease used on', async (t) => {
  const { store, options, etcd, lines } = await startLeaseStore(t)
  const lease = await putForeignLease(store, '10.2.200.0/24', '192.168.19.1', 'host-1')
  const own = await acquireLease(store, PREFIX, claimOf(1), options)
  t.is(own.etcdLease, lease)
  t.is(await leaseAt(store, '10.2.200.0/24'), undefined)
  t.is(await etcdLeases(etcd), 1)
  const place = 'the network config has subnets of /24 from 10.2.1.0 to 10.2.120.0'
  t.deepEqual(lines, [`I gave up 10.2.200.0/24 for ${primarySubnet(own)}: ${place}`])
})

test('our address under the id of a living host: reported, never taken over; taken when that host is dead', async (t) => {
  const l = await startLeaseStore(t)
  const { store, lines } = l
  const options = { ...l.options, liveFor: ALIVE_SECONDS }
  const other = await acquireLease(store, PREFIX, claimOf(1), l.options)
  const kept = new AbortController()
  t.teardown(() => {
    kept.abort()
  })
  keepAcquired(l, claimOf(1), other, { signal: kept.signal, interval: 500 })
  const same = claimOf(2, { addresses: only(4, '192.168.19.1' as Address) })
  const acquiring = acquireLease(store, PREFIX, same, options)
  await waitFor('the report', () => lines.some((line) => line.startsWith('E duplicate address: 192.168.19.1: ')))
  const before = await leaseAt(store, primarySubnet(other))
  t.regex(before?.value ?? '', /"HostID":"host-1"}$/)
  t.is(before?.modRevision, other.modRevision)
  kept.abort()
  const own = await acquiring
  t.is(primarySubnet(own), primarySubnet(other))
  t.not(own.etcdLease, other.etcdLease)
  t.is(lines.filter((line) => line.startsWith('E ')).length, 1, lines.join('\n'))
})

test('a host id cloned to a second living host: each keeps a lease of its own', async (t) => {
  const l = await startLeaseStore(t)
  const first = await acquireLease(l.store, PREFIX, claimOf(1), l.options)
  const { renewals } = keepAcquired(l, claimOf(1), first, { interval: 300 })
  await waitFor('a renewal', () => renewals.length > 0)
  const previousSubnet = primarySubnet(first)
  const clone = claimOf(2, {
    hostId: 'host-1',
    value: () => valueOf('192.168.19.2' as Address, 'host-1'),
    previous: onlySubnet(previousSubnet),
  })
  const second = await acquireLease(l.store, PREFIX, clone, { ...l.options, liveFor: ALIVE_SECONDS })
  t.not(primarySubnet(second), primarySubnet(first))
  t.is((await leaseAt(l.store, primarySubnet(first)))?.modRevision, first.modRevision)
  t.deepEqual(await acquireLease(l.store, PREFIX, clone, l.options), second, 'and after a restart, at once')
})

test('our host id at our former address is ours when no host renews it', async (t) => {
  const { store, options } = await startLeaseStore(t)
  const first = await acquireLease(store, PREFIX, claimOf(1), options)
  const moved = claimOf(9, { hostId: 'host-1', value: () => valueOf('192.168.19.9' as Address, 'host-1') })
  const second = await acquireLease(store, PREFIX, moved, { ...options, liveFor: 1 })
  t.is(primarySubnet(second), primarySubnet(first))
  t.is(second.etcdLease, first.etcdLease)
  t.regex((await leaseAt(store, primarySubnet(first)))?.value ?? '', /"PublicIP":"192.168.19.9"/)
})

test('no free subnet: one line with range and count; a freed subnet is leased at once', async (t) => {
  const { store, options, lines } = await startLeaseStore(t)
  const ranges = { ipv4: range(3), ipv6: undefined }
  for (const n of [1, 2, 3]) await acquireLease(store, PREFIX, claimOf(n, { ranges }), options)
  let readings = 0
  const counting = new Proxy(store, {
    get(target, name) {
      if (name === 'range') readings++
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const acquiring = acquireLease(counting, PREFIX, claimOf(4, { ranges }), options)
  await waitFor('the line', () => lines.length > 0)
  t.deepEqual(lines, ['E no free subnet: 10.2.1.0 to 10.2.3.0, /24: all 3 are taken; waiting for one to be freed'])
  // Its pauses have grown: by itself it would look again after 4 to 8 s.
  await waitFor('the fourth reading', () => readings === 4)
  const freed = performance.now()
  await store.commit([], [{ type: 'delete', key: keyOf('10.2.2.0/24') }])
  t.is(primarySubnet(await acquiring), '10.2.2.0/24' as Prefix)
  const ms = Math.round(performance.now() - freed)
  await record({ fault: 'a subnet freed', promise: 'taken within 3 s', limit: 3000, ms, test: t.title })
  t.is(lines.length, 1)
})

test('etcd down at start: reported once, leased when etcd comes', async (t) => {
  const { etcd, options, lines } = await startLeaseStore(t)
  await etcd.kill()
  const store = openStore({ endpoints: [etcd.url] })
  t.teardown(() => {
    store.close()
  })
  const acquiring = acquireLease(store, PREFIX, claimOf(1), options)
  await waitFor('the line', () => lines.length > 0)
  t.regex(lines[0] ?? '', /^W no lease yet: etcd: http:\/\/127.0.0.1:\d+: connect ECONNREFUSED/)
  await etcd.start()
  t.truthy(primarySubnet(await acquiring))
  t.is(lines.length, 1, lines.join('\n'))
})

test('an acquisition ends at its signal without an answer of etcd: etcd away, frozen, exhausted, waiting for a duplicate', async (t) => {
  const l = await startLeaseStore(t)
  const ended = async (claim: Claim, ready: () => boolean | Promise<boolean>): Promise<void> => {
    const abort = new AbortController()
    const acquiring = acquireLease(l.store, PREFIX, claim, { ...l.options, signal: abort.signal })
    await waitFor('the state', ready)
    abort.abort(new Error('enough'))
    await t.throwsAsync(acquiring, { message: 'enough' })
  }
  const ranges = { ipv4: range(1), ipv6: undefined }
  await putForeignLease(l.store, '10.2.1.0/24', '192.168.19.99', 'other')
  await ended(claimOf(1, { ranges }), () => l.lines.some((line) => line.includes('no free subnet')))
  const duplicate = claimOf(1, { addresses: only(4, '192.168.19.99' as Address) })
  await ended(duplicate, () => l.lines.some((line) => line.includes('recently renewed')))
  l.etcd.freeze()
  await ended(claimOf(3), () => true)
  l.etcd.thaw()
  await waitFor('etcd', () => l.store.get('/x').then(() => true))
  await l.etcd.kill()
  await ended(claimOf(4), () => l.lines.some((line) => line.includes('no lease yet')))
})
