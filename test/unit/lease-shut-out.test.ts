// Shutting a host out: which keys say so, what becomes of its leases here, and what the status shows.
import test from 'ava'
import fc from 'fast-check'
import { renderShutOut } from '../../src/cli/verbs/shut-out.ts'
import { Conditions } from '../../src/health/conditions.ts'
import type { StoreChange, StoreEntry } from '../../src/etcd/store.ts'
import type { Address } from '../../src/ip/address.ts'
import { address } from '../fake/values.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import type { PeerRules } from '../../src/lease/peer-check.ts'
import { addressShutOut } from '../../src/lease/shut-out.ts'
import { ShutOuts } from '../../src/daemon/shut-outs.ts'
import { linesTo } from '../lab/actors/lease-holder.ts'

const STOLEN = '192.168.0.9' as Address
const OWN = '192.168.0.1' as Address

function entry(key: string, address = '', created = '5'): StoreEntry {
  const value = JSON.stringify({ PublicIP: address, BackendType: 'vxlan', BackendData: { VNI: 1 } })
  return { key: `/n/${key}`, value: Buffer.from(value), createRevision: created, modRevision: created, lease: '7' }
}
const put = (...args: Parameters<typeof entry>): StoreChange => ({ type: 'put', entry: entry(...args) })
const gone = (key: string): StoreChange => ({ type: 'delete', key: `/n/${key}`, modRevision: '9' })

function rules(out: ReadonlySet<Address>): PeerRules {
  return {
    family: 4,
    network: '10.2.0.0/16' as Prefix,
    subnetLen: 24,
    own: { key: '/n/subnets/10.2.1.0-24', subnet: '10.2.1.0/24' as Prefix },
    publicAddress: OWN,
    hostId: '0'.repeat(32),
    onlink: [],
    parseData: (_type, data) => ({ ok: true, value: data }),
    needs: () => ({ ok: true, value: undefined }),
    shutOut: (address) => out.has(address),
    exclusive: () => undefined,
  }
}

test('all subnets of an address go at once, the next in line gets a contested one, and others stay', (t) => {
  const out = new Set<Address>()
  const table = new PeerTable('/n', rules(out))
  table.change([put('subnets/10.2.2.0-24', '192.168.0.2'), put('subnets/10.2.3.0-24', STOLEN)])
  table.change([put('subnets/10.2.4.0-24', STOLEN), put('subnets/10.2.4.0-24&fd00::-64', '192.168.0.4', '8')])
  t.is(table.peers.size, 3)
  out.add(STOLEN)
  const step = table.shutOut()
  t.deepEqual(
    step.changes.map(({ subnet, after }) => [subnet, after?.publicAddress]),
    [
      ['10.2.3.0/24', undefined],
      ['10.2.4.0/24', '192.168.0.4'],
    ] as unknown as [Prefix, Address][],
  )
  t.deepEqual(
    step.refused.map(({ reason, detail }) => `${reason} ${detail}`),
    [`shut-out ${STOLEN}`, `shut-out ${STOLEN}`],
  )
  t.deepEqual(table.shutOut().changes, [], 'once')
})

test('an address that is shut out is let in by no lease that names it as its source, be it there before', (t) => {
  const out = new Set<Address>()
  const table = new PeerTable('/n', rules(out))
  const value = (PublicIP: string): Buffer =>
    Buffer.from(JSON.stringify({ PublicIP, BackendType: 'vxlan', BackendData: { VNI: 1 }, SourceIP: STOLEN }))
  const named = (name: string, address: string, created: string): StoreChange => {
    const it = entry(`subnets/${name}`, address, created)
    return { type: 'put', entry: { ...it, value: value(address) } }
  }
  table.change([named('10.2.3.0-24', '192.168.0.3', '5'), named('10.2.3.0-24&fd00::-64', '192.168.0.4', '8')])
  const sources = (): readonly unknown[] =>
    [...table.peers.values()].map(({ publicAddress, sourceAddress }) => [publicAddress, sourceAddress])
  t.deepEqual(sources(), [['192.168.0.3', STOLEN]])
  out.add(STOLEN)
  t.is(table.shutOut().changes.length, 1)
  t.deepEqual(sources(), [['192.168.0.3', undefined]])
  // Nor by the one that follows.
  table.change([gone('subnets/10.2.3.0-24')])
  t.deepEqual(sources(), [['192.168.0.4', undefined]])
})

test('one that is kept though its lease is gone goes as well, and comes back with no listing while it is shut out', (t) => {
  const out = new Set<Address>()
  const table = new PeerTable('/n', rules(out))
  table.change([put('subnets/10.2.3.0-24', STOLEN)])
  table.snapshot([], undefined, 'keep')
  t.is(table.peers.size, 1)
  out.add(STOLEN)
  table.shutOut()
  t.is(table.peers.size, 0)
  table.snapshot([entry('subnets/10.2.3.0-24', STOLEN)], undefined, 'keep')
  table.change([put('subnets/10.2.7.0-24', STOLEN)])
  t.is(table.peers.size, 0)
  t.is(table.refused.get('/n/subnets/10.2.7.0-24'), 'shut-out')
  out.clear()
  table.snapshot([entry('subnets/10.2.3.0-24', STOLEN)])
  t.is(table.peers.size, 1)
})

test('a key names one address in its only spelling, or no host', (t) => {
  t.is(addressShutOut('/n', '/n/shut-out/192.168.0.9'), STOLEN)
  t.is(addressShutOut('/n', '/n/shut-out/fd00::1'), address('fd00::1'))
  for (const key of ['192.168.0.009', '192.168.0', 'fd00:0::1', '', '192.168.0.9/24', '192.168.0.9 ', '../config'])
    t.is(addressShutOut('/n', `/n/shut-out/${key}`), undefined, key)
  t.is(addressShutOut('/n', '/n/subnets/192.168.0.9'), undefined)
})

test('whatever keys come and go: an address is shut out exactly while its key is there, and the status says so', (t) => {
  const last = fc.integer({ min: 1, max: 3 })
  const change = fc.record({ last, there: fc.boolean(), odd: fc.boolean() })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const conditions = new Conditions()
      const outs = new ShutOuts('/n', conditions, linesTo([]))
      const there = new Set<string>()
      for (const { last: n, there: is, odd } of changes) {
        const key = `shut-out/192.168.0.${n}${odd ? '?' : ''}`
        outs.take({ type: 'changes', revision: '9', changes: [is ? put(key) : gone(key)] }, [OWN])
        if (is && !odd) there.add(`192.168.0.${n}`)
        else if (!odd) there.delete(`192.168.0.${n}`)
        for (const address of ['192.168.0.1', '192.168.0.2', '192.168.0.3'] as Address[])
          t.is(outs.has(address), there.has(address))
        t.is(conditions.has('shut-out'), there.has(OWN))
        t.is(
          conditions.has('peers-shut-out'),
          [...there].some((address) => address !== OWN),
        )
      }
    }),
    { numRuns: 200 },
  )
})

test('a new listing shows which hosts are shut out; our own address is a fault, another a note', (t) => {
  const conditions = new Conditions()
  const lines: string[] = []
  const outs = new ShutOuts('/n', conditions, linesTo(lines))
  const listing = (...keys: readonly string[]) =>
    outs.take({ type: 'snapshot', snapshot: { revision: '9', entries: keys.map((key) => entry(key)) } }, [OWN])
  t.deepEqual(listing(`shut-out/${STOLEN}`, 'config'), { added: [STOLEN], removed: [] })
  t.deepEqual(
    conditions.all.map(({ code, level }) => `${code} ${level}`),
    ['peers-shut-out note'],
  )
  t.deepEqual(listing(`shut-out/${OWN}`), { added: [OWN], removed: [STOLEN] })
  t.deepEqual(
    conditions.all.map(({ code, level }) => `${code} ${level}`),
    ['shut-out fault'],
  )
  t.is(lines.length, 3)
})

test('the verb says what it deleted, and what is written again all the same', (t) => {
  const done = { address: STOLEN, deleted: ['10.2.3.0/24' as Prefix], left: [], already: false }
  t.is(renderShutOut(done), '192.168.0.9 is shut out; deleted: 10.2.3.0/24\n')
  t.regex(
    renderShutOut({ ...done, already: true, left: ['10.2.3.0/24' as Prefix] }),
    /shut out already.*\n→ it writes 10\.2\.3\.0\/24 again: take its user away/,
  )
})
