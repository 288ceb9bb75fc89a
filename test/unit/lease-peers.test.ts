// The peers as leases come and go: what is refused and why, and that only real differences are reported.
import test from 'ava'
import fc from 'fast-check'
import type { Checked, Peer } from '../../src/backend.ts'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { sharedBy } from '../../src/lease/holders.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import type { PeerStep } from '../../src/lease/peer-step.ts'

const RULES: PeerRules = {
  family: 4,
  network: '10.2.0.0/16' as Prefix,
  subnetLen: 24,
  own: { key: '/n/subnets/10.2.1.0-24', subnet: '10.2.1.0/24' as Prefix },
  publicAddress: '192.168.0.1' as Address,
  hostId: '0'.repeat(32),
  onlink: ['192.168.0.0/24' as Prefix],
  parseData: (type, data): Checked<unknown> =>
    type !== 'vxlan'
      ? { ok: false, reason: 'backend-type', detail: type }
      : typeof data === 'object'
        ? { ok: true, value: data }
        : { ok: false, reason: 'backend-data', detail: JSON.stringify(data) },
  needs: () => ({ ok: true, value: undefined }),
  exclusive: (_type, data) => (data as { readonly VtepMAC?: string } | undefined)?.VtepMAC,
}

let revision = 1
function entry(name: string, address: string, more: object = {}): StoreEntry {
  const value = Buffer.from(
    JSON.stringify({ PublicIP: address, BackendType: 'vxlan', BackendData: { VNI: 1 }, ...more }),
  )
  return { key: `/n/subnets/${name}`, value, createRevision: '1', modRevision: String(++revision), lease: '7' }
}
const put = (name: string, address: string, more?: object): StoreChange => ({
  type: 'put',
  entry: entry(name, address, more),
})
const gone = (name: string): StoreChange => ({
  type: 'delete',
  key: `/n/subnets/${name}`,
  modRevision: String(++revision),
})
const sorted = (map: ReadonlyMap<string, Peer>): unknown => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
const table = (): PeerTable => new PeerTable('/n', RULES)

function shown(step: PeerStep): string[] {
  const show = (peer: Peer | undefined): string =>
    peer === undefined ? '-' : `${peer.publicAddress} ${JSON.stringify(peer.data)}`
  return [
    ...step.changes.map(({ subnet, before, after }) => `${subnet}: ${show(before)} > ${show(after)}`),
    ...step.refused.map(({ key, reason }) => `${key}: ${reason}`),
  ]
}

test('peers join, change and leave, each reported once', (t) => {
  const peers = table()
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.2')])), ['10.2.2.0/24: - > 192.168.0.2 {"VNI":1}'])
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.3')])), [
    '10.2.2.0/24: 192.168.0.2 {"VNI":1} > 192.168.0.3 {"VNI":1}',
  ])
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.3', { BackendData: { VNI: 2 } })])), [
    '10.2.2.0/24: 192.168.0.3 {"VNI":1} > 192.168.0.3 {"VNI":2}',
  ])
  t.deepEqual(shown(peers.change([gone('10.2.2.0-24')])), ['10.2.2.0/24: 192.168.0.3 {"VNI":2} > -'])
  t.deepEqual(shown(peers.change([gone('10.2.2.0-24')])), [])
  t.is(peers.peers.size, 0)
})

test('a renewal, and a full listing of what is known, report nothing', (t) => {
  const peers = table()
  const good = [
    entry('10.2.2.0-24', '192.168.0.2'),
    entry('10.2.3.0-24', '192.168.0.3', { HostID: 'x' }),
    entry('10.2.4.1-24', '1.1.1.1'),
  ]
  t.is(peers.snapshot(good).changes.length, 2)
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.2'), put('10.2.4.1-24', '1.1.1.1')])), [])
  t.deepEqual(shown(peers.snapshot(good)), [])
})

test('a listing after a gap is compared: what is gone is withdrawn, what is new arrives', (t) => {
  const peers = table()
  peers.snapshot([entry('10.2.2.0-24', '192.168.0.2'), entry('10.2.3.0-24', '192.168.0.3'), entry('x', '1.1.1.1')])
  t.deepEqual(shown(peers.snapshot([entry('10.2.3.0-24', '192.168.0.3'), entry('10.2.4.0-24', '192.168.0.4')])), [
    '10.2.4.0/24: - > 192.168.0.4 {"VNI":1}',
    '10.2.2.0/24: 192.168.0.2 {"VNI":1} > -',
  ])
  t.is(peers.refused.size, 0)
})

test('several changes of one peer in a step are reported as one, or as none', (t) => {
  const peers = table()
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.2'), gone('10.2.2.0-24')])), [])
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.2'), put('10.2.2.0-24', '192.168.0.3')])), [
    '10.2.2.0/24: - > 192.168.0.3 {"VNI":1}',
  ])
  t.deepEqual(shown(peers.change([gone('10.2.2.0-24'), put('10.2.2.0-24', '192.168.0.3')])), [])
})

test('our own lease is no peer and no refusal', (t) => {
  const peers = table()
  t.deepEqual(shown(peers.snapshot([entry('10.2.1.0-24', '192.168.0.1'), entry('10.2.1.0-24', '192.168.0.9')])), [])
  t.is(peers.refused.size, 0)
})

for (const [what, lease, reason] of [
  ['outside the network', entry('10.3.2.0-24', '192.168.0.2'), 'outside-network'],
  ['the LAN of the hosts', entry('192.168.0.0-24', '192.168.0.2'), 'outside-network'],
  ['of another length', entry('10.2.2.0-25', '192.168.0.2'), 'subnet-length'],
  ['the whole network', entry('10.2.0.0-16', '192.168.0.2'), 'own-subnet'],
  ['inside our own subnet', entry('10.2.1.128-25', '192.168.0.2'), 'own-subnet'],
  ['our own subnet under another key', entry('10.2.1.0-24&fc00::-64', '192.168.0.2'), 'own-subnet'],
  ['with host bits', entry('10.2.2.1-24', '192.168.0.2'), 'key'],
  ['everything', entry('0.0.0.0-0', '192.168.0.2'), 'key'],
  ['nested', entry('10.2.2.0-24/x', '192.168.0.2'), 'key'],
  ['with our public address', entry('10.2.2.0-24', '192.168.0.1'), 'public-ip-ours'],
  ['with address zero', entry('10.2.2.0-24', '0.0.0.0'), 'public-ip'],
  ['with a loopback address', entry('10.2.2.0-24', '127.0.0.1'), 'public-ip'],
  ['with a multicast address', entry('10.2.2.0-24', '224.0.0.1'), 'public-ip'],
  ['with the broadcast address', entry('10.2.2.0-24', '255.255.255.255'), 'public-ip'],
  ["with the LAN's broadcast address", entry('10.2.2.0-24', '192.168.0.255'), 'public-ip'],
  ['with an address inside the overlay', entry('10.2.2.0-24', '10.2.3.4'), 'public-ip'],
  ['with no address', entry('10.2.2.0-24', ''), 'public-ip'],
  ['of an unknown type', entry('10.2.2.0-24', '192.168.0.2', { BackendType: 'magic' }), 'backend-type'],
  ['without data', entry('10.2.2.0-24', '192.168.0.2', { BackendData: 7 }), 'backend-data'],
  ['not JSON', { ...entry('10.2.2.0-24', ''), value: Buffer.from('x') }, 'json'],
  ['of 200 kB', entry('10.2.2.0-24', '192.168.0.2', { x: 'x'.repeat(200_000) }), 'oversized'],
] as const) {
  test(`a lease ${what} is refused with '${reason}', present at start and arriving later, the others pass`, (t) => {
    const good = entry('10.2.9.0-24', '192.168.0.9')
    const first = table()
    const step = first.snapshot([lease, good])
    t.deepEqual([...first.peers.keys()], ['10.2.9.0/24' as Prefix])
    t.deepEqual(
      step.refused.map((item) => [item.key, item.reason]),
      [[lease.key, reason]],
    )
    t.deepEqual(first.snapshot([lease, good]).refused, [], 'reported once')

    const later = table()
    later.snapshot([])
    t.is(
      later.change([
        { type: 'put', entry: lease },
        { type: 'put', entry: good },
      ]).refused.length,
      1,
    )
    t.deepEqual([...later.peers.keys()], ['10.2.9.0/24' as Prefix])
    t.deepEqual([...later.refused], [[lease.key, reason]])
    later.change([{ type: 'delete', key: lease.key, modRevision: '99' }])
    t.is(later.refused.size, 0)
  })
}

test('a good lease that turns bad is withdrawn, and comes back', (t) => {
  const peers = table()
  peers.snapshot([entry('10.2.2.0-24', '192.168.0.2')])
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '127.0.0.1')])), [
    '10.2.2.0/24: 192.168.0.2 {"VNI":1} > -',
    '/n/subnets/10.2.2.0-24: public-ip',
  ])
  t.deepEqual(shown(peers.change([put('10.2.2.0-24', '192.168.0.2')])), ['10.2.2.0/24: - > 192.168.0.2 {"VNI":1}'])
  t.is(peers.refused.size, 0)
})

test("a live peer's subnet under a second key is refused until the first goes", (t) => {
  const peers = table()
  const second = '10.2.2.0-24&fc00::-64'
  t.deepEqual(shown(peers.snapshot([entry('10.2.2.0-24', '192.168.0.2'), entry(second, '192.168.0.3')])), [
    '10.2.2.0/24: - > 192.168.0.2 {"VNI":1}',
    `/n/subnets/${second}: overlap`,
  ])
  t.deepEqual(shown(peers.change([put(second, '192.168.0.4')])), [])
  t.deepEqual(shown(peers.change([gone('10.2.2.0-24')])), [
    '10.2.2.0/24: 192.168.0.2 {"VNI":1} > 192.168.0.4 {"VNI":1}',
  ])
  t.is(peers.refused.size, 0)
  t.deepEqual(shown(peers.change([gone(second)])), ['10.2.2.0/24: 192.168.0.4 {"VNI":1} > -'])
})

test('both keys of a subnet gone between two listings: no peer is left', (t) => {
  const peers = table()
  peers.snapshot([entry('10.2.2.0-24', '192.168.0.2'), entry('10.2.2.0-24&fc00::-64', '192.168.0.3')])
  t.deepEqual(shown(peers.snapshot([])), ['10.2.2.0/24: 192.168.0.2 {"VNI":1} > -'])
  t.is(peers.peers.size + peers.refused.size, 0)
})

test('new rules apply to the listing they come with', (t) => {
  const peers = table()
  const entries = [entry('10.2.2.0-24', '192.168.0.2'), entry('10.2.3.0-24', '192.168.0.3')]
  peers.snapshot(entries)
  const own = { key: '/n/subnets/10.2.2.0-24', subnet: '10.2.2.0/24' as Prefix }
  t.deepEqual(shown(peers.snapshot(entries, { ...RULES, own })), ['10.2.2.0/24: 192.168.0.2 {"VNI":1} > -'])
})

test('one public address in two subnets is allowed, and reported', (t) => {
  const peers = table()
  peers.snapshot([
    entry('10.2.2.0-24', '192.168.0.2'),
    entry('10.2.3.0-24', '192.168.0.2'),
    entry('10.2.4.0-24', '192.168.0.4'),
  ])
  t.deepEqual(
    [...sharedBy(peers.peers.values())],
    [['192.168.0.2' as Address, ['10.2.2.0/24' as Prefix, '10.2.3.0/24' as Prefix]]],
  )
})

test('any history in any cut of steps and listings ends in the same peers, and the steps add up to them', (t) => {
  const names = ['10.2.2.0-24', '10.2.3.0-24', '10.2.2.0-24&fc00::-64', '10.2.4.1-24', '10.2.1.0-24']
  const operation = fc.record({
    name: fc.constantFrom(...names),
    address: fc.constantFrom('192.168.0.2', '192.168.0.3', '127.0.0.1', undefined),
    end: fc.constantFrom('same step', 'step', 'listing'),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const peers = table()
      const store = new Map<string, StoreEntry>()
      const told = new Map<string, Peer>()
      const follow = ({ changes }: PeerStep): void => {
        for (const { subnet, before, after } of changes) {
          t.deepEqual(told.get(subnet), before)
          if (after === undefined) told.delete(subnet)
          else told.set(subnet, after)
        }
        t.deepEqual(sorted(told), sorted(peers.peers))
      }
      let pending: StoreChange[] = []
      for (const { name, address, end } of operations) {
        const change = address === undefined ? gone(name) : put(name, address)
        if (change.type === 'put') store.set(name, change.entry)
        else store.delete(name)
        pending.push(change)
        if (end === 'step') follow(peers.change(pending))
        if (end === 'listing') follow(peers.snapshot([...store.values()]))
        if (end !== 'same step') pending = []
      }
      follow(peers.change(pending))
      // What a daemon that starts now would have, but for who came first to a subnet with two keys.
      const fresh = table()
      fresh.snapshot([...store.values()])
      t.deepEqual([...peers.peers.keys()].toSorted(), [...fresh.peers.keys()].toSorted())
      t.deepEqual([...peers.refused.values()].toSorted(), [...fresh.refused.values()].toSorted())
    }),
    { numRuns: 1_000 },
  )
})
