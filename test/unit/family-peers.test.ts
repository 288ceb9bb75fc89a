// Leases with a subnet of each family: two peers that name each other, refused once, and followed when a family comes or goes.
import test from 'ava'
import fc from 'fast-check'
import type { Peer } from '../../src/backend.ts'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import { FamilyPeers, type RulesByFamily } from '../../src/lease/family-peers.ts'
import type { PeerStep } from '../../src/lease/peer-step.ts'
import { PEER_RULES } from '../fake/peer-rules.ts'
import { address, prefix } from '../fake/values.ts'

const SIX = {
  ...PEER_RULES,
  family: 6,
  network: prefix('fd00:2::/48'),
  subnetLen: 64,
  publicAddress: address('fd01::1'),
} as const
const BOTH: RulesByFamily = { ipv4: PEER_RULES, ipv6: SIX }
const V4: RulesByFamily = { ipv4: PEER_RULES, ipv6: undefined }
const V6: RulesByFamily = { ipv4: undefined, ipv6: SIX }

const FOUR_OF_2 = prefix('10.2.2.0/24')
const SIX_OF_2 = prefix('fd00:2:0:2::/64')

function entry(name: string, host = 2, station = host, created = 1): StoreEntry {
  const data = (first: string): object => ({ VNI: 1, VtepMAC: `${first}:00:00:00:00:0${station}` })
  const value = {
    PublicIP: `192.168.0.${host}`,
    PublicIPv6: `fd01::${host}`,
    BackendType: 'vxlan',
    BackendData: data('0a'),
    BackendV6Data: data('0e'),
  }
  return {
    key: `/n/subnets/${name}`,
    value: Buffer.from(JSON.stringify(value)),
    createRevision: String(created),
    modRevision: String(created),
    lease: '7',
  }
}

const put = (each: StoreEntry): StoreChange => ({ type: 'put', entry: each })
const gone = (name: string): StoreChange => ({ type: 'delete', key: `/n/subnets/${name}`, modRevision: '9' })
const DUAL = '10.2.2.0-24&fd00:2:0:2::-64'

test('a lease with two subnets is two peers, each with the subnet and the address of the other', (t) => {
  const table = new FamilyPeers('/n', BOTH)
  const { changes } = table.snapshot([entry(DUAL)], BOTH)
  t.deepEqual(
    changes.map(({ subnet }) => subnet),
    [FOUR_OF_2, SIX_OF_2],
  )
  t.like(table.peers.get(FOUR_OF_2), { publicAddress: '192.168.0.2', also: SIX_OF_2, otherAddress: 'fd01::2' })
  t.like(table.peers.get(SIX_OF_2), { publicAddress: 'fd01::2', also: FOUR_OF_2, otherAddress: '192.168.0.2' })
  t.is(table.refused.size, 0)
})

test('hosts of one family beside hosts of both: each is a peer in what it has, and no refusal is said of the rest', (t) => {
  const table = new FamilyPeers('/n', BOTH)
  const { refused } = table.snapshot([entry('10.2.3.0-24', 3), entry('fd00:2:0:4::-64', 4), entry(DUAL)], BOTH)
  t.deepEqual([...table.peers.keys()].toSorted(), [
    FOUR_OF_2,
    prefix('10.2.3.0/24'),
    SIX_OF_2,
    prefix('fd00:2:0:4::/64'),
  ])
  t.is(table.peers.get(prefix('10.2.3.0/24'))?.also, undefined)
  t.deepEqual([refused, [...table.refused]], [[], []])
})

test('a lease bad in one family is a peer in the other alone, and refused once; one bad in both, too', (t) => {
  const table = new FamilyPeers('/n', BOTH)
  const wide = table.snapshot([entry('10.2.2.0-24&fd00:2:0:4::-62')], BOTH)
  t.deepEqual(
    wide.refused.map(({ reason }) => reason),
    ['subnet-length'],
  )
  t.is(table.peers.get(FOUR_OF_2)?.also, undefined)
  const both = table.change([put({ ...entry(DUAL, 3), value: Buffer.from('nonsense') })])
  t.deepEqual(
    both.refused.map(({ reason }) => reason),
    ['json'],
  )
  t.deepEqual([...table.refused.values()].toSorted(), ['json', 'subnet-length'])
  t.deepEqual(table.change([put({ ...entry(DUAL, 3), value: Buffer.from('nonsense') })]).refused, [])
})

test('a host that goes over to both families in one step keeps its IPv4 peer, which then names the other', (t) => {
  const table = new FamilyPeers('/n', BOTH)
  table.snapshot([entry('10.2.2.0-24')], BOTH)
  const over = table.change([put(entry(DUAL, 2, 2, 5)), gone('10.2.2.0-24')])
  t.deepEqual(
    over.changes.map(({ subnet, before, after }) => [subnet, before?.also, after?.also]),
    [
      [FOUR_OF_2, undefined, SIX_OF_2],
      [SIX_OF_2, undefined, FOUR_OF_2],
    ],
  )
  const back = table.change([put(entry('10.2.2.0-24', 2, 2, 6)), gone(DUAL)])
  t.deepEqual(
    back.changes.map(({ subnet, after }) => [subnet, after?.also]),
    [
      [FOUR_OF_2, undefined],
      [SIX_OF_2, undefined],
    ],
  )
  t.deepEqual([...table.peers.keys()], [FOUR_OF_2])
})

test('a listing that keeps absent leases drops one whose host has its subnet by another key, without a refusal', (t) => {
  const table = new FamilyPeers('/n', BOTH)
  table.snapshot([entry('10.2.2.0-24')], BOTH)
  const { refused, changes } = table.snapshot([entry(DUAL, 2, 2, 5)], BOTH, 'keep')
  t.deepEqual(refused, [])
  t.deepEqual(
    changes.map(({ subnet, after }) => [subnet, after?.also]),
    [
      [FOUR_OF_2, SIX_OF_2],
      [SIX_OF_2, FOUR_OF_2],
    ],
  )
})

test('a family that we switch on or off comes and goes with its peers; those of the other stay', (t) => {
  const table = new FamilyPeers('/n', V4)
  const leases = [entry(DUAL), entry('10.2.3.0-24', 3)]
  t.is(table.snapshot(leases, V4).changes.length, 2)
  const on = table.snapshot(leases, BOTH, 'keep')
  t.deepEqual(
    on.changes.map(({ subnet, before, after }) => [subnet, before === undefined, after?.also]),
    [
      [FOUR_OF_2, false, SIX_OF_2],
      [SIX_OF_2, true, FOUR_OF_2],
    ],
  )
  const off = table.snapshot(leases, V4, 'keep')
  t.deepEqual(
    off.changes.map(({ subnet, after }) => [subnet, after?.publicAddress, after?.also]),
    [
      [FOUR_OF_2, '192.168.0.2', undefined],
      [SIX_OF_2, undefined, undefined],
    ],
  )
})

test('a host that is shut out by one of its addresses is out in both families', (t) => {
  const out = new Set<string>()
  const shutOut = (it: string): boolean => out.has(it)
  const rules: RulesByFamily = { ipv4: { ...PEER_RULES, shutOut }, ipv6: { ...SIX, shutOut } }
  const table = new FamilyPeers('/n', rules)
  const leases = [entry(DUAL), entry('10.2.3.0-24&fd00:2:0:3::-64', 3)]
  table.snapshot(leases, rules)
  out.add('fd01::2')
  const { changes, refused } = table.shutOut()
  t.deepEqual(
    changes.map(({ subnet, after }) => [subnet, after]),
    [
      [FOUR_OF_2, undefined],
      [SIX_OF_2, undefined],
    ],
  )
  t.deepEqual(
    refused.map(({ reason, detail }) => [reason, detail]),
    [['shut-out', 'fd01::2']],
  )
  t.deepEqual(table.snapshot(leases, rules).changes, [])
  t.is(table.peers.size, 2)
})

const event = fc.record({
  name: fc.constantFrom(
    ...['10.2.2.0-24', DUAL, '10.2.2.0-24&fd00:2:0:3::-64', '10.2.3.0-24&fd00:2:0:2::-64', 'fd00:2:0:2::-64'],
    ...['fd00:2:0:3::-64', '10.2.3.0-24', '10.2.4.0-24&fd00:2:0:4::-60', 'nonsense'],
  ),
  host: fc.constantFrom(1, 2, 3),
  station: fc.constantFrom(2, 3),
  what: fc.constantFrom('put', 'put', 'delete'),
  end: fc.constantFrom('same step', 'step', 'step', 'listing', BOTH, V4, V6),
})

test('whatever happens, steps say what changed, and the end is what a fresh listing gives', (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 25 }), (events) => {
      let rules: RulesByFamily = BOTH
      const table = new FamilyPeers('/n', rules)
      const store = new Map<string, StoreEntry>()
      const told = new Map<string, Peer>()
      const take = ({ changes }: PeerStep): void => {
        for (const { subnet, before, after } of changes) {
          t.deepEqual(told.get(subnet), before)
          if (after === undefined) told.delete(subnet)
          else told.set(subnet, after)
        }
        t.deepEqual(new Map([...told].toSorted()), new Map([...table.peers].toSorted()))
      }
      let pending: StoreChange[] = []
      for (const [at, { name, host, station, what, end }] of events.entries()) {
        const key = `/n/subnets/${name}`
        if (what === 'put') {
          const created = Number(store.get(key)?.createRevision ?? at + 1)
          store.set(key, { ...entry(name, host, station, created), modRevision: String(at + 1) })
        } else store.delete(key)
        const now = store.get(key)
        pending.push(now === undefined ? gone(name) : put(now))
        if (end === 'same step') continue
        if (end === 'step') take(table.change(pending))
        else {
          if (typeof end === 'object') rules = end
          take(table.snapshot([...store.values()], rules))
        }
        pending = []
      }
      take(table.change(pending))
      const fresh = new FamilyPeers('/n', rules)
      fresh.snapshot([...store.values()], rules)
      t.deepEqual(new Map([...table.peers].toSorted()), new Map([...fresh.peers].toSorted()))
      t.deepEqual(new Map([...table.refused].toSorted()), new Map([...fresh.refused].toSorted()))
      for (const [subnet, { also }] of table.peers)
        if (also !== undefined) t.is(table.peers.get(also)?.also as string, subnet)
    }),
    { numRuns: 2000 },
  )
})
