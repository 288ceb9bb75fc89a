// What only one host may have (a VTEP MAC), and a subnet under two keys: the outcome depends on the leases there are,
// whatever order they came in.
import test from 'ava'
import fc from 'fast-check'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import { address, prefix } from '../fake/values.ts'
import { PEER_RULES } from '../fake/peer-rules.ts'

const RULES: PeerRules = {
  ...PEER_RULES,
  own: { key: '/n/subnets/10.2.1.0-24', subnet: prefix('10.2.1.0/24') },
  hostId: '0'.repeat(32),
  onlink: [prefix('192.168.0.0/24')],
}

let revision = 1000
function lease(name: string, host: number, station: number, created: number, type = 'vxlan'): StoreEntry {
  const value = {
    PublicIP: `192.168.0.${host}`,
    BackendType: type,
    BackendData: { VNI: 1, VtepMAC: `0a:00:00:00:00:0${station}` },
  }
  return {
    key: `/n/subnets/${name}`,
    value: Buffer.from(JSON.stringify(value)),
    createRevision: String(created),
    modRevision: String(++revision),
    lease: '7',
  }
}
const put = (entry: StoreEntry): StoreChange => ({ type: 'put', entry })
const gone = ({ key }: StoreEntry): StoreChange => ({ type: 'delete', key, modRevision: String(++revision) })
const table = (): PeerTable => new PeerTable('/n', RULES)

/** All there is to know of a table. */
function outcome(peers: PeerTable): unknown {
  const list = [...peers.peers.values()].map(
    (peer) => `${peer.subnet} ${peer.publicAddress} ${JSON.stringify(peer.data)}`,
  )
  return { peers: list.toSorted(), refused: [...peers.refused].map(String).toSorted() }
}

const older = lease('10.2.2.0-24', 2, 5, 10)
const newer = lease('10.2.3.0-24', 3, 5, 20)

for (const [how, changes] of [
  ['older first', [put(older), put(newer)]],
  ['newer first', [put(newer), put(older)]],
] as const) {
  test(`of two hosts with one MAC the one whose lease is older is the peer: ${how}`, (t) => {
    for (const steps of [[changes], changes.map((change) => [change])]) {
      const peers = table()
      for (const step of steps) peers.change(step)
      t.deepEqual([...peers.peers.keys()], ['10.2.2.0/24' as Prefix])
      t.deepEqual([...peers.refused], [[newer.key, 'duplicate-mac']])
    }
  })
}

test('the one refused comes back when the winner goes, changes its MAC or its address to the same', (t) => {
  for (const end of [gone(older), put(lease('10.2.2.0-24', 2, 6, 10)), put(lease('10.2.2.0-24', 3, 5, 10))]) {
    const peers = table()
    const { refused } = peers.snapshot([older, newer])
    t.deepEqual(refused, [{ key: newer.key, reason: 'duplicate-mac', detail: "0a:00:00:00:00:05 is 192.168.0.2's" }])
    // Renewals say nothing.
    t.deepEqual(peers.change([put(older), put(newer)]), { changes: [], refused: [] })
    const { changes } = peers.change([end])
    t.true(changes.some(({ subnet, before, after }) => subnet === '10.2.3.0/24' && !before && after !== undefined))
    t.is(peers.refused.size, 0)
  }
})

test('a newer lease with the MAC of a peer changes nothing for that peer, however often it is written, and is reported once', (t) => {
  const peers = table()
  peers.snapshot([older])
  const step = peers.change([put(newer)])
  t.deepEqual(step.changes, [])
  t.deepEqual(
    step.refused.map(({ key, reason }) => [key, reason]),
    [[newer.key, 'duplicate-mac']],
  )
  for (let n = 0; n < 3; n++) {
    t.deepEqual(peers.change([put(lease('10.2.3.0-24', 3, 5, 20))]), { changes: [], refused: [] })
    // Deleted and written again it is newer still.
    t.deepEqual(peers.change([gone(newer), put(lease('10.2.3.0-24', 3, 5, 30 + n))]).changes, [])
  }
})

test('one host with a stale second lease is no conflict, nor are two backend types with one MAC', (t) => {
  const peers = table()
  peers.snapshot([older, lease('10.2.3.0-24', 2, 5, 20), lease('10.2.4.0-24', 4, 5, 30, 'other')])
  t.is(peers.peers.size, 3)
  t.is(peers.refused.size, 0)
})

test('of two keys of a subnet the older one has it, whichever comes first', (t) => {
  const plain = lease('10.2.2.0-24', 2, 5, 20)
  const dual = lease('10.2.2.0-24&fc00::-64', 3, 6, 10)
  for (const order of [
    [plain, dual],
    [dual, plain],
  ]) {
    const peers = table()
    for (const entry of order) peers.change([put(entry)])
    t.is(peers.peers.get(prefix('10.2.2.0/24'))?.publicAddress, address('192.168.0.3'))
    t.deepEqual([...peers.refused], [[plain.key, 'overlap']])
    peers.change([gone(dual)])
    t.is(peers.peers.get(prefix('10.2.2.0/24'))?.publicAddress, address('192.168.0.2'))
    t.is(peers.refused.size, 0)
  }
})

for (const [what, nameOf] of [
  ['one MAC', (n: number) => `10.${2 + (n >> 8)}.${n & 255}.0-24`],
  ['one subnet', (n: number) => `10.2.2.0-24&fc00:${n.toString(16)}::-64`],
] as const) {
  test(`ten thousand leases of ${what} don't hold up the others`, (t) => {
    const entries = Array.from({ length: 10_000 }, (_, n) => lease(nameOf(n), 2 + (n % 200), 5, 20_000 - n))
    const peers = new PeerTable('/n', { ...RULES, network: prefix('10.0.0.0/8') })
    const began = performance.now()
    peers.snapshot(entries)
    for (const entry of entries.slice(0, 20)) peers.change([put(entry)])
    const took = performance.now() - began
    t.true(took < 10_000, `${took} ms`)
    t.log(`${took.toFixed(0)} ms`)
    t.is(new Set([...peers.peers.values()].map(({ publicAddress }) => publicAddress)).size, 1)
  })
}

/** What happens to a key: put with one of few addresses and MACs, or deleted; a key made again has a new age. */
const happening = fc.record({
  name: fc.constantFrom(
    '10.2.2.0-24',
    '10.2.3.0-24',
    '10.2.4.0-24',
    '10.2.2.0-24&fc00::-64',
    '10.2.3.0-24&fc00:1::-64',
  ),
  host: fc.constantFrom(2, 3, 4),
  station: fc.constantFrom(5, 6),
  what: fc.constantFrom('put', 'put', 'delete'),
  end: fc.constantFrom('same step', 'step', 'listing'),
})

test('any history ends in the outcome of its last state, in whatever order that is listed', (t) => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (history, numbers) => {
      const peers = table()
      const store = new Map<string, StoreEntry>()
      let pending: StoreChange[] = []
      for (const [at, { name, host, station, what, end }] of history.entries()) {
        const key = `/n/subnets/${name}`
        if (what === 'put') {
          const created = Number(store.get(key)?.createRevision ?? at)
          store.set(key, lease(name, host, station, created))
        } else store.delete(key)
        const entry = store.get(key)
        pending.push(entry === undefined ? { type: 'delete', key, modRevision: '1' } : put(entry))
        if (end === 'step') peers.change(pending)
        if (end === 'listing') peers.snapshot([...store.values()])
        if (end !== 'same step') pending = []
      }
      peers.change(pending)
      const fresh = table()
      const order = new Map([...store.values()].map((entry) => [entry, Number(numbers.next().value)]))
      fresh.snapshot([...store.values()].toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)))
      t.deepEqual(outcome(peers), outcome(fresh))
      const owners = new Map<string, string>()
      for (const { data, publicAddress } of peers.peers.values()) {
        const { mac } = data as { readonly mac: string }
        t.is(owners.get(mac) ?? publicAddress, publicAddress, 'one host per MAC')
        owners.set(mac, publicAddress)
      }
    }),
    { numRuns: 2_000 },
  )
})
