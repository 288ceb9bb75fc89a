// The decision which subnet to claim: values in, a decision out.
import test from 'ava'
import fc from 'fast-check'
import { type Address, fromNumber } from '../../src/ip/address.ts'
import { overlaps, type Prefix } from '../../src/ip/prefix.ts'
import type { Claim, ListedLease, OwnLease } from '../../src/lease/found.ts'
import { decide, findLeases } from '../../src/lease/claim.ts'
import { NEITHER, onlySubnet, only } from '../../src/ip/by-family.ts'
import { encodeKey, encodeValue } from '../../src/lease/codec.ts'
import { type Subnets, type LeaseValue, primarySubnet } from '../../src/lease/lease.ts'

const PREFIX = '/n'
const RANGE = {
  network: '10.2.0.0/16' as Prefix,
  subnetLen: 24,
  subnetMin: '10.2.1.0' as Address,
  subnetMax: '10.2.9.0' as Address,
}

function value(publicAddress: string, hostId?: string): LeaseValue {
  return {
    addresses: only(4, publicAddress as Address),
    sourceAddresses: NEITHER,
    backendType: 'vxlan',
    backendData: only(4, { VNI: 1 }),
    hostId,
  }
}

function claim(change: Partial<Claim> = {}): Claim {
  return {
    hostId: 'me',
    addresses: only(4, '192.168.0.1' as Address),
    ranges: { ipv4: RANGE, ipv6: undefined },
    previous: NEITHER,
    value: () => value('192.168.0.1', 'me'),
    ...change,
  }
}

function lease(
  subnet: string,
  publicAddress: string,
  hostId?: string,
  etcdLease = '77',
  subnet6?: string,
): ListedLease {
  const subnets: Subnets = { ipv4: subnet as Prefix, ipv6: subnet6 as Prefix | undefined }
  const content = value(publicAddress, hostId)
  return {
    subnets,
    key: encodeKey(PREFIX, subnets),
    text: encodeValue(content),
    value: content,
    modRevision: '5',
    etcdLease,
  }
}

interface Situation {
  readonly claim?: Partial<Claim>
  readonly held?: OwnLease
  readonly alive?: Readonly<Record<string, boolean>>
}

function decided(
  leases: readonly ListedLease[],
  { claim: change, held, alive = {} }: Situation = {},
): ReturnType<typeof decide> {
  return decide(leases, claim(change), held, new Map(Object.entries(alive)), () => 0)
}

test('an empty network: a free subnet under a new etcd lease, created', (t) => {
  t.deepEqual(decided([]), {
    type: 'claim',
    subnets: onlySubnet('10.2.1.0/24' as Prefix),
    modRevision: '0',
    etcdLease: undefined,
    release: [],
  })
})

test('our lease that says what it shall is kept without a write', (t) => {
  const ours = lease('10.2.3.0/24', '192.168.0.1', 'me')
  t.deepEqual(decided([lease('10.2.2.0/24', '192.168.0.2', 'other'), ours]), { type: 'keep', lease: ours })
})

test('a lease with our address and no host id is ours, and gets our host id', (t) => {
  const d = decided([lease('10.2.3.0/24', '192.168.0.1')])
  t.like(d, { type: 'claim', modRevision: '5', etcdLease: '77', subnets: onlySubnet('10.2.3.0/24' as Prefix) })
})

test('a reservation stays without an etcd lease', (t) => {
  const d = decided([lease('10.2.3.0/24', '192.168.0.1', undefined, '0')])
  t.like(d, { type: 'claim', modRevision: '5', etcdLease: '0' })
})

test('a lease with our host id at another address is ours once that host is known to be dead', (t) => {
  const moved = lease('10.2.3.0/24', '192.168.0.9', 'me')
  t.deepEqual(decided([moved]), { type: 'probe', lease: moved })
  t.like(decided([moved], { alive: { [moved.key]: false } }), { type: 'claim', modRevision: '5', etcdLease: '77' })
})

test('a living clone with our host id keeps its lease, we take another subnet', (t) => {
  const clone = lease('10.2.3.0/24', '192.168.0.9', 'me')
  const situation = { alive: { [clone.key]: true }, claim: { previous: onlySubnet('10.2.3.0/24' as Prefix) } }
  t.like(decided([clone], situation), { type: 'claim', modRevision: '0', release: [] })
  t.not(primarySubnet(decided([clone], situation) as { subnets: Subnets }), '10.2.3.0/24' as Prefix)
})

test('the lease this process holds is ours whatever its address: no waiting when the address changes', (t) => {
  const ours = lease('10.2.3.0/24', '192.168.0.9', 'me')
  const held: OwnLease = { ...ours, value: value('192.168.0.9', 'me') }
  t.like(decided([ours], { held }), { type: 'claim', modRevision: '5', etcdLease: '77' })
})

test('our address under another host id: probed, then a duplicate or taken over under an etcd lease of our own', (t) => {
  const theirs = lease('10.2.3.0/24', '192.168.0.1', 'other')
  t.deepEqual(decided([theirs]), { type: 'probe', lease: theirs })
  t.deepEqual(decided([theirs], { alive: { [theirs.key]: true } }), { type: 'duplicate', lease: theirs })
  t.like(decided([theirs], { alive: { [theirs.key]: false } }), {
    type: 'claim',
    modRevision: '5',
    etcdLease: undefined,
  })
})

test('a reservation under another host id is never taken over', (t) => {
  const theirs = lease('10.2.3.0/24', '192.168.0.1', 'other', '0')
  t.deepEqual(decided([theirs]), { type: 'duplicate', lease: theirs })
})

test('a firm lease of ours is kept whatever else has our address', (t) => {
  const ours = lease('10.2.3.0/24', '192.168.0.1', 'me')
  t.deepEqual(decided([lease('10.2.2.0/24', '192.168.0.1', 'other'), ours]), { type: 'keep', lease: ours })
})

test('a lease that no longer fits is given up in the same transaction, its etcd lease used on', (t) => {
  const old = lease('10.2.200.0/24', '192.168.0.1', 'me')
  t.like(decided([old]), { type: 'claim', modRevision: '0', etcdLease: '77', release: [old] })
  const reserved = lease('10.2.200.0/24', '192.168.0.1', 'me', '0')
  t.like(decided([reserved]), { type: 'claim', modRevision: '0', etcdLease: undefined, release: [] })
})

test('of two leases of ours the previous subnet is kept, the other given up', (t) => {
  const a = lease('10.2.3.0/24', '192.168.0.1', 'me')
  const b = lease('10.2.4.0/24', '192.168.0.1', 'me')
  t.like(decided([a, b], { claim: { previous: onlySubnet('10.2.4.0/24' as Prefix) } }), {
    type: 'claim',
    subnets: onlySubnet('10.2.4.0/24' as Prefix),
    release: [a],
  })
})

test('the previous subnet is asked for again when it fits and is free', (t) => {
  const subnetOf = (d: ReturnType<typeof decide>): string | undefined =>
    d.type === 'claim' ? primarySubnet(d) : undefined
  const previous = (text: string): Situation => ({ claim: { previous: onlySubnet(text as Prefix) } })
  t.is(subnetOf(decided([], previous('10.2.5.0/24'))), '10.2.5.0/24')
  t.is(subnetOf(decided([lease('10.2.5.0/24', '192.168.0.2', 'x')], previous('10.2.5.0/24'))), '10.2.1.0/24')
  t.is(subnetOf(decided([lease('10.2.5.128/25', '192.168.0.2', 'x')], previous('10.2.5.0/24'))), '10.2.1.0/24')
  t.is(subnetOf(decided([], previous('10.2.77.0/24'))), '10.2.1.0/24')
  t.is(subnetOf(decided([], previous('10.3.5.0/24'))), '10.2.1.0/24')
  t.is(subnetOf(decided([], previous('10.2.5.0/25'))), '10.2.1.0/24')
})

test('the error for no free subnet has the range and the count', (t) => {
  const all = Array.from({ length: 9 }, (_, i) => lease(`10.2.${i + 1}.0/24`, `192.168.1.${i}`, `x${i}`))
  t.deepEqual(decided(all), { type: 'exhausted', range: RANGE, size: 9n })
})

test('a lease wider than a quarter of the network excludes no host', (t) => {
  t.is(decided([lease('10.2.0.0/16', '192.168.0.8', 'x')]).type, 'claim')
  t.is(decided([lease('10.2.0.0/18', '192.168.0.8', 'x')]).type, 'exhausted')
})

test('dual stack: both subnets are chosen, and an IPv4-only lease does not fit', (t) => {
  const ipv6 = {
    network: 'fc00::/48' as Prefix,
    subnetLen: 64,
    subnetMin: 'fc00:0:0:1::' as Address,
    subnetMax: 'fc00:0:0:9::' as Address,
  }
  const change = { ranges: { ipv4: RANGE, ipv6 } }
  const old = lease('10.2.3.0/24', '192.168.0.1', 'me')
  t.like(decided([old], { claim: { ...change, previous: onlySubnet('10.2.3.0/24' as Prefix) } }), {
    type: 'claim',
    subnets: { ipv4: '10.2.3.0/24' as Prefix, ipv6: 'fc00:0:0:1::/64' as Prefix },
    release: [old],
  })
  const both = lease('10.2.3.0/24', '192.168.0.1', 'me', '77', 'fc00:0:0:2::/64')
  t.deepEqual(decided([both], { claim: change }), { type: 'keep', lease: both })
})

const SIX = {
  network: 'fc00::/48' as Prefix,
  subnetLen: 64,
  subnetMin: 'fc00:0:0:1::' as Address,
  subnetMax: 'fc00:0:0:9::' as Address,
}

test('a running host whose config switches a family on or off keeps the subnet it has, in one transaction', (t) => {
  const both = { ranges: { ipv4: RANGE, ipv6: SIX } }
  const plain = lease('10.2.3.0/24', '192.168.0.1', 'me')
  const other = lease('10.2.9.0/24', '192.168.0.2', 'x', '78', 'fc00:0:0:1::/64')
  const held = (of: ListedLease): OwnLease => ({ ...of, value: value('192.168.0.1', 'me') })
  t.like(decided([plain, other], { claim: both, held: held(plain) }), {
    type: 'claim',
    subnets: { ipv4: '10.2.3.0/24' as Prefix, ipv6: 'fc00:0:0:2::/64' as Prefix },
    modRevision: '0',
    etcdLease: '77',
    release: [plain],
  })
  const dual = lease('10.2.3.0/24', '192.168.0.1', 'me', '77', 'fc00:0:0:2::/64')
  t.like(decided([dual, other], { held: held(dual) }), {
    type: 'claim',
    subnets: onlySubnet('10.2.3.0/24' as Prefix),
    modRevision: '0',
    etcdLease: '77',
    release: [dual],
  })
})

test("a reservation of one family is the host's in a network of both: it goes over as a reservation, running or at a start", (t) => {
  const both = { ranges: { ipv4: RANGE, ipv6: SIX } }
  const reserved = lease('10.2.3.0/24', '192.168.0.1', 'me', '0')
  const held = { ...reserved, value: value('192.168.0.1', 'me') }
  for (const situation of [{ claim: both }, { claim: both, held }])
    t.like(decided([reserved], situation), {
      type: 'claim',
      subnets: { ipv4: '10.2.3.0/24' as Prefix, ipv6: 'fc00:0:0:1::/64' as Prefix },
      modRevision: '0',
      etcdLease: '0',
      release: [reserved],
    })
})

test('with -on-subnet-conflict=wait it waits while another has our subnet, and takes it when it is free', (t) => {
  const previous = { previous: onlySubnet('10.2.3.0/24' as Prefix), waitsForPrevious: true }
  const taken = lease('10.2.3.0/24', '192.168.0.2', 'other')
  t.deepEqual(decided([taken], { claim: previous }), { type: 'conflict', lease: taken })
  const wider = lease('10.2.2.0/23', '192.168.0.2')
  t.deepEqual(decided([wider], { claim: previous }), { type: 'conflict', lease: wider })
  t.like(decided([], { claim: previous }), { type: 'claim', subnets: onlySubnet('10.2.3.0/24' as Prefix) })
  const own = lease('10.2.4.0/24', '192.168.0.1', 'me')
  t.deepEqual(decided([taken, own], { claim: previous }), { type: 'keep', lease: own }, 'a lease of ours will do')
  t.like(decided([taken], { claim: { ...previous, previous: onlySubnet('10.9.3.0/24' as Prefix) } }), { type: 'claim' })
})

test('an unreadable lease belongs to no host, and its subnet still counts as taken', (t) => {
  const entry = {
    key: '/n/subnets/10.2.1.0-24',
    value: Buffer.from('junk'),
    createRevision: '2',
    modRevision: '3',
    lease: '7',
  }
  const odd = { ...entry, key: '/n/subnets/10.2.2.1-24' }
  const found = findLeases(PREFIX, [entry, odd])
  t.is(found.length, 1)
  t.like(decided(found), { type: 'claim', subnets: onlySubnet('10.2.2.0/24' as Prefix) })
})

test("whatever the leases: never another living host's subnet, never one outside, always on the revision seen", (t) => {
  const found = fc
    .record({
      third: fc.integer({ min: 0, max: 12 }),
      length: fc.constantFrom(24, 24, 24, 25, 23),
      host: fc.integer({ min: 1, max: 4 }),
      id: fc.constantFrom('me', 'other', undefined),
      etcdLease: fc.constantFrom('0', '77', '78'),
    })
    .map(({ third, length, host, id, etcdLease }) =>
      lease(`10.2.${length === 23 ? third & 14 : third}.0/${length}`, fromNumber(0xc0a80000 + host), id, etcdLease),
    )
  const leases = fc.uniqueArray(found, { selector: (item) => item.key, maxLength: 14 })
  fc.assert(
    fc.property(leases, fc.boolean(), fc.option(fc.integer({ min: 0, max: 12 })), (list, alive, previous) => {
      const change = previous === null ? {} : { previous: onlySubnet(`10.2.${previous}.0/24` as Prefix) }
      const verdicts = Object.fromEntries(list.map((item) => [item.key, alive]))
      const d = decided(list, { claim: change, alive: verdicts })
      t.not(d.type, 'probe')
      if (d.type !== 'claim') return
      const third = Number(primarySubnet(d).split('.')[2])
      t.true(primarySubnet(d).endsWith('.0/24') && third >= 1 && third <= 9)
      const there = list.find((item) => primarySubnet(item) === primarySubnet(d))
      t.is(d.modRevision, there?.modRevision ?? '0')
      if (there === undefined)
        t.false(list.some((item) => !d.release.includes(item) && overlaps(primarySubnet(item), primarySubnet(d))))
      for (const item of [...d.release, ...(there ? [there] : [])]) {
        const theirs = item.value?.hostId === 'other' && alive
        t.false(theirs, `${item.key} is a living host's`)
        t.true(item.value?.hostId === 'me' || item.value?.addresses.ipv4 === ('192.168.0.1' as Address))
      }
    }),
    { numRuns: 2_000 },
  )
})
