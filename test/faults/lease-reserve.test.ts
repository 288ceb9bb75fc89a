// Reservations that meet each other, hosts that start, and a lease that is renewed: one has the subnet, all know who.
import test from 'ava'
import type { Address } from '../../src/ip/address.ts'
import { fromNumber } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { encodeValue } from '../../src/lease/codec.ts'
import { acquireLease } from '../../src/lease/own.ts'
import { releaseReservation, reserve } from '../../src/lease/reserve.ts'
import {
  PREFIX,
  claimOf,
  etcdLeases,
  putForeignLease,
  keepAcquired,
  keyOf,
  startLeaseStore,
  leaseAt,
  range,
  valueOf,
} from '../lab/actors/lease-holder.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { only, onlySubnet } from '../../src/ip/by-family.ts'
import { primarySubnet, primaryAddress } from '../../src/lease/lease.ts'

const subnetAt = (n: number): Prefix => `10.2.${n}.0/24` as Prefix
const addressOf = (n: number): Address => fromNumber(0xc0a81300 + n)
const whose = (value: string | undefined): string => (JSON.parse(value ?? '{}') as { PublicIP?: string }).PublicIP ?? ''

test('one subnet reserved for twenty hosts at once: one has it, nineteen learn whose it is', async (t) => {
  const { store } = await startLeaseStore(t)
  const asked = Array.from({ length: 20 }, (_, n) =>
    reserve(store, PREFIX, { subnets: onlySubnet(subnetAt(5)), address: addressOf(n + 1) }, () => only(4, range(120))),
  )
  const done = await Promise.allSettled(asked)
  const won = done.flatMap((it) => (it.status === 'fulfilled' ? [it.value.publicAddress] : []))
  t.deepEqual([won.length, won[0] as string], [1, whose((await leaseAt(store, subnetAt(5)))?.value)])
  for (const it of done) {
    if (it.status === 'rejected')
      t.regex(String(it.reason), new RegExp(`reserved for ${won[0] ?? ''}: release it first`))
  }
})

test('thirty hosts start while every subnet is being reserved for others: none has a reserved one, no host loses', async (t) => {
  const { etcd, store, options } = await startLeaseStore(t)
  const ranges = { ipv4: range(60), ipv6: undefined }
  const hosts = Array.from({ length: 30 }, (_, n) => acquireLease(store, PREFIX, claimOf(n + 1, { ranges }), options))
  const reserving = Array.from({ length: 30 }, (_, n) =>
    reserve(store, PREFIX, { subnets: onlySubnet(subnetAt(n + 1)), address: addressOf(n + 101) }, () =>
      only(4, range(60)),
    ),
  )
  const reserved = (await Promise.allSettled(reserving)).flatMap((it, n) =>
    it.status === 'fulfilled' ? [{ subnet: subnetAt(n + 1), address: addressOf(n + 101) }] : [],
  )
  const leases = await Promise.all(hosts)
  t.is(new Set([...leases.map(primarySubnet), ...reserved.map(({ subnet }) => subnet)]).size, 30 + reserved.length)
  for (const lease of leases)
    t.is(whose((await leaseAt(store, primarySubnet(lease)))?.value), primaryAddress(lease.value))
  for (const { subnet, address } of reserved) {
    t.like(await leaseAt(store, subnet), { lease: '0', value: `{"PublicIP":"${address}","PublicIPv6":null}` })
  }
  t.is(await etcdLeases(etcd), 30)
})

test("Go's lease becomes a reservation byte for byte, and its etcd lease goes unless another key hangs on it", async (t) => {
  const { etcd, store } = await startLeaseStore(t)
  await putForeignLease(store, '10.2.5.0/24', '192.168.19.9')
  const shared = await putForeignLease(store, '10.2.6.0/24', '192.168.19.10')
  const { value = '' } = (await leaseAt(store, '10.2.5.0/24')) ?? {}
  await store.commit([], [{ type: 'put', key: keyOf('10.2.7.0/24'), value: 'x', lease: shared }])
  await reserve(store, PREFIX, { subnets: onlySubnet(subnetAt(5)), address: '192.168.19.9' as Address }, () =>
    only(4, range(120)),
  )
  await reserve(store, PREFIX, { subnets: onlySubnet(subnetAt(6)), address: '192.168.19.10' as Address }, () =>
    only(4, range(120)),
  )
  t.like(await leaseAt(store, '10.2.5.0/24'), { value, lease: '0' })
  t.is((await leaseAt(store, '10.2.6.0/24'))?.lease, '0')
  t.is((await leaseAt(store, '10.2.7.0/24'))?.lease, shared, 'what hung on it is still there')
  t.is(await etcdLeases(etcd), 1)
})

test('reserved and released again and again under a host that renews: it keeps its subnet and one etcd lease', async (t) => {
  const world = await startLeaseStore(t)
  const { etcd, store, options } = world
  const claim = claimOf(1)
  const own = await acquireLease(store, PREFIX, claim, options)
  const { keeper, changes } = keepAcquired(world, claim, own)
  for (let n = 0; n < 5; n++) {
    await reserve(store, PREFIX, { subnets: onlySubnet(primarySubnet(own)), address: primaryAddress(claim) }, () =>
      only(4, range(120)),
    )
    await waitFor('the host to know it', () => keeper.own().etcdLease === '0')
    t.is((await leaseAt(store, primarySubnet(own)))?.lease, '0')
    t.is((await releaseReservation(store, PREFIX, primarySubnet(own))).now, 'lease')
    await waitFor('the host to know it', () => keeper.own().etcdLease !== '0')
  }
  t.true(changes.every((change) => primarySubnet(change.own) === primarySubnet(own)))
  t.is((await leaseAt(store, primarySubnet(own)))?.lease, keeper.own().etcdLease)
  t.is(await etcdLeases(etcd), 1)
})

test('a host is replaced by one with its address: the reservation of the old one is released, and the new one has it', async (t) => {
  const { store, options, lines } = await startLeaseStore(t)
  const value = encodeValue(valueOf('192.168.19.1' as Address, 'the-old-host'))
  await store.commit([], [{ type: 'put', key: keyOf('10.2.5.0/24'), value, lease: '0' }])
  const acquiring = acquireLease(store, PREFIX, claimOf(1), { ...options, liveFor: 1 })
  await waitFor('the advice', () =>
    lines.some((line) => /duplicate address.* flanneld release 10\.2\.5\.0\/24$/.test(line)),
  )
  t.is((await leaseAt(store, '10.2.5.0/24'))?.value, value)
  t.is((await releaseReservation(store, PREFIX, subnetAt(5))).now, 'lease')
  const own = await acquiring
  t.deepEqual([primarySubnet(own), own.value.hostId], [subnetAt(5), 'host-1'])
})

test('a reservation by the old config is not written when the config changes in between', async (t) => {
  const { store } = await startLeaseStore(t)
  await store.commit([], [{ type: 'put', key: `${PREFIX}/config`, value: 'old', lease: '0' }])
  const seen: (string | undefined)[] = []
  // The config changes after it was read, as often as it is read.
  const meddling = {
    ...store,
    range: async (prefix: string) => {
      const snapshot = await store.range(prefix)
      await store.commit([], [{ type: 'put', key: `${PREFIX}/config`, value: `new ${seen.length}`, lease: '0' }])
      return snapshot
    },
    commit: store.commit.bind(store),
  }
  const asked = reserve(meddling, PREFIX, { subnets: onlySubnet(subnetAt(5)), address: addressOf(1) }, (config) => {
    seen.push(config)
    return only(4, range(120))
  })
  await t.throwsAsync(asked, { message: /^reserve: 10\.2\.5\.0\/24: another program keeps changing it/ })
  t.is(await leaseAt(store, subnetAt(5)), undefined)
  t.deepEqual(seen.slice(0, 2), ['old', 'new 0'])
})
