// Which key a reservation is written under and with what, and what a host makes of the one it finds.
import test from 'ava'
import { OperatorError } from '../../src/errors.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { type Decision, decide, findLeases } from '../../src/lease/claim.ts'
import { encodeReservation, encodeValue } from '../../src/lease/codec.ts'
import { isAwaited } from '../../src/lease/peer-check.ts'
import { type ReservationPlan, planReservation } from '../../src/lease/reserve.ts'
import { PREFIX, claimOf, keyOf, range, valueOf } from '../lab/actors/lease-holder.ts'
import type { SubnetRange } from '../../src/lease/allocate.ts'
import { type Subnets, primarySubnet } from '../../src/lease/lease.ts'
import { only, onlySubnet } from '../../src/ip/by-family.ts'

/** An entry as etcd has it: subnet, whose, etcd lease ("0": a reservation); without a host id it is Go's. */
function entry(subnet: string, address: string, lease: string, value?: string): Parameters<typeof findLeases>[1][0] {
  const text = value ?? encodeValue(valueOf(address as Address, undefined))
  return { key: keyOf(subnet), value: Buffer.from(text), createRevision: '7', modRevision: '7', lease }
}

const awaited = (subnet: string, address: string): ReturnType<typeof entry> =>
  entry(subnet, address, '0', encodeReservation(address as Address))

const plan = (entries: readonly ReturnType<typeof entry>[], subnet: string, address: string): ReservationPlan =>
  planReservation(PREFIX, findLeases(PREFIX, entries), only(4, range(120)), {
    subnets: onlySubnet(subnet as Prefix),
    address: address as Address,
  })

test('a free subnet: the key is made, with what Go writes of an address alone', (t) => {
  t.deepEqual(plan([], '10.2.5.0/24', '192.168.19.121').write, {
    key: '/docker-test/network/subnets/10.2.5.0-24',
    modRevision: '0',
    value: '{"PublicIP":"192.168.19.121","PublicIPv6":null}',
    detached: undefined,
  })
})

test("the host's own lease: its value stays byte for byte, and its etcd lease is given up", (t) => {
  const value = '{ "PublicIP":"192.168.19.121", "BackendType":"vxlan", "Mine": 1 }'
  const { was, write } = plan([entry('10.2.5.0/24', '', '42', value)], '10.2.5.0/24', '192.168.19.121')
  t.is(was, 'lease')
  t.deepEqual(write, { key: keyOf('10.2.5.0/24'), modRevision: '7', value, detached: '42' })
  const both = [entry('10.2.5.0/24', '', '42', value), entry('10.2.6.0/24', '192.168.19.9', '42')]
  t.is(plan(both, '10.2.5.0/24', '192.168.19.121').write?.detached, undefined, 'another key hangs on it')
})

test('reserved already: nothing is written', (t) => {
  t.like(plan([awaited('10.2.5.0/24', '192.168.19.121')], '10.2.5.0/24', '192.168.19.121'), {
    was: 'reservation',
    write: undefined,
  })
})

const SIX = {
  network: 'fd00:2::/48',
  subnetLen: 64,
  subnetMin: 'fd00:2:0:1::',
  subnetMax: 'fd00:2:0:ffff::',
} as SubnetRange
const BOTH = { ipv4: range(120), ipv6: SIX }
const planBoth = (
  entries: readonly ReturnType<typeof entry>[],
  ipv4: string | undefined,
  ipv6: string | undefined,
  address = '192.168.19.121',
): ReservationPlan =>
  planReservation(
    PREFIX,
    findLeases(PREFIX, entries),
    BOTH,
    { subnets: { ipv4, ipv6 } as Subnets, address: address as Address },
    () => 0,
  )

test('in a network of both families a reservation is of both: the named ones, and any free one for what is not named', (t) => {
  t.is(planBoth([], '10.2.5.0/24', 'fd00:2:0:5::/64').write?.key, keyOf('10.2.5.0/24') + '&fd00:2:0:5::-64')
  const taken = { ...entry('10.2.6.0/24', '192.168.19.9', '42'), key: keyOf('10.2.6.0/24') + '&fd00:2:0:1::-64' }
  t.is(planBoth([taken], '10.2.5.0/24', undefined).write?.key, keyOf('10.2.5.0/24') + '&fd00:2:0:2::-64')
  t.is(planBoth([], undefined, 'fd00:2:0:5::/64').write?.key, keyOf('10.2.1.0/24') + '&fd00:2:0:5::-64')
  const six = planBoth([], '10.2.5.0/24', 'fd00:2:0:5::/64', 'fd01::121').write
  t.is(six?.value, '{"PublicIPv6":"fd01::121"}')
  t.true(isAwaited({ lease: '0', value: Buffer.from(six?.value ?? '') }))
})

test('the lease of a host with both becomes its reservation by either subnet; other pairs are refused', (t) => {
  const own = { ...entry('10.2.5.0/24', '192.168.19.121', '42'), key: keyOf('10.2.5.0/24') + '&fd00:2:0:5::-64' }
  const pairs: readonly (readonly [string | undefined, string | undefined])[] = [
    ['10.2.5.0/24', undefined],
    [undefined, 'fd00:2:0:5::/64'],
    ['10.2.5.0/24', 'fd00:2:0:5::/64'],
  ]
  for (const [four, six] of pairs) t.is(planBoth([own], four, six).write?.key, own.key)
  t.throws(() => planBoth([own], '10.2.5.0/24', 'fd00:2:0:6::/64'), { message: /which 192\.168\.19\.121 has itself/ })
  t.throws(() => planBoth([own], '10.2.7.0/24', 'fd00:2:0:5::/64', '192.168.19.9'), { message: /never taken/ })
  t.throws(() => planBoth([], '10.2.5.0/24', 'fd00:3::/64'), { message: /must be one of the network's subnets/ })
  t.throws(() => plan([], 'fd00:2:0:5::/64', '192.168.19.121'), { message: /the network has no IPv6/ })
})

for (const [what, entries, subnet, address, message] of [
  ['another length', [], '10.2.4.0/23', '192.168.19.121', /10\.2\.4\.0\/23: must be one of .*\/24 from 10\.2\.1\.0 to/],
  ['outside the range', [], '10.2.200.0/24', '192.168.19.121', /must be one of the network's subnets/],
  ['a zero address', [], '10.2.5.0/24', '0.0.0.0', /^reserve: 0\.0\.0\.0: must be the address/],
  ['an address inside the network', [], '10.2.5.0/24', '10.2.9.9', /not in 10\.2\.0\.0\/16/],
  [
    "another host's lease",
    [entry('10.2.5.0/24', '192.168.19.9', '42')],
    '10.2.5.0/24',
    '192.168.19.121',
    /leased to 192\.168\.19\.9: .*never taken/,
  ],
  [
    "another's reservation",
    [awaited('10.2.5.0/24', '192.168.19.9')],
    '10.2.5.0/24',
    '192.168.19.121',
    /reserved for 192\.168\.19\.9: release it first/,
  ],
  [
    'a key nobody can read',
    [entry('10.2.5.0/24', '', '0', '?')],
    '10.2.5.0/24',
    '192.168.19.121',
    /an unreadable host/,
  ],
  [
    'a lease that overlaps',
    [entry('10.2.4.0/22', '192.168.19.121', '42')],
    '10.2.5.0/24',
    '192.168.19.121',
    /overlaps 10\.2\.4\.0\/22/,
  ],
  [
    'a second one for a host',
    [awaited('10.2.6.0/24', '192.168.19.121')],
    '10.2.5.0/24',
    '192.168.19.121',
    /has 10\.2\.6\.0\/24 reserved/,
  ],
] as const)
  test(`${what} is refused`, (t) => {
    t.throws(() => plan(entries, subnet, address), { instanceOf: OperatorError, message })
  })

test('a host that holds another subnet is reported to move at its next start', (t) => {
  const { note } = plan([entry('10.2.9.0/24', '192.168.19.121', '42')], '10.2.5.0/24', '192.168.19.121')
  t.regex(note, /192\.168\.19\.121 holds 10\.2\.9\.0\/24 until its daemon starts again/)
})

/** What host 1 (192.168.19.1) decides. */
const decision = (entries: readonly ReturnType<typeof entry>[], previous?: string, running = false): Decision => {
  const claim = claimOf(1, { previous: { ipv4: previous as Prefix | undefined, ipv6: undefined } })
  const leases = findLeases(PREFIX, entries)
  const [held] = leases
  const own = held?.value === undefined ? undefined : { ...held, value: held.value }
  return decide(leases, claim, running ? own : undefined, new Map(), Math.random)
}

test('a host takes its reservation at the first start, whatever subnet.env says, and it stays one', (t) => {
  t.like(decision([awaited('10.2.5.0/24', '192.168.19.1')], '10.2.77.0/24'), {
    type: 'claim',
    subnets: onlySubnet('10.2.5.0/24' as Prefix),
    modRevision: '7',
    etcdLease: '0',
  })
})

test('a host that has a lease goes over to its reservation when it starts, not before, and gives the lease up', (t) => {
  const ours = entry('10.2.9.0/24', '', '42', encodeValue(valueOf('192.168.19.1' as Address, 'host-1')))
  const found = decision([ours, awaited('10.2.5.0/24', '192.168.19.1')], '10.2.9.0/24')
  t.like(found, { type: 'claim', subnets: onlySubnet('10.2.5.0/24' as Prefix), etcdLease: '0' })
  t.deepEqual(found.type === 'claim' && found.release.map((lease) => primarySubnet(lease) as string), ['10.2.9.0/24'])
  t.like(decision([ours, awaited('10.2.5.0/24', '192.168.19.1')], '10.2.9.0/24', true), {
    type: 'keep',
    lease: { subnets: onlySubnet('10.2.9.0/24' as Prefix) },
  })
})

test("another host's reservation is left alone, and so is one outside the range", (t) => {
  const found = decision([awaited('10.2.5.0/24', '192.168.19.9'), awaited('10.2.200.0/24', '192.168.19.1')])
  t.is(found.type, 'claim')
  t.false(found.type === 'claim' && ['10.2.5.0/24', '10.2.200.0/24'].includes(primarySubnet(found)))
})

test('a reservation awaits its host while it says whose it is and no more', (t) => {
  t.true(isAwaited(awaited('10.2.5.0/24', '192.168.19.1')))
  t.false(isAwaited(entry('10.2.5.0/24', '192.168.19.1', '0')))
  t.false(isAwaited(entry('10.2.5.0/24', '', '42', encodeReservation('192.168.19.1' as Address))))
  t.false(isAwaited(entry('10.2.5.0/24', '', '0', '{"PublicIP":"192.168.19.1","BackendData":{}}')))
})
