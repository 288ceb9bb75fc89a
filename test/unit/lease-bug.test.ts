// One lease that makes our own code throw: it is refused and counted, and everything else works.
import test from 'ava'
import { renderLeases } from '../../src/cli/verbs/leases.ts'
import type { StoreEntry } from '../../src/etcd/store.ts'
import { viewOf } from '../../src/view/leases.ts'
import { LeaseStats } from '../../src/lease/stats.ts'
import { findLeases } from '../../src/lease/claim.ts'
import { PeerTable } from '../../src/lease/peers.ts'
import { prefix } from '../fake/values.ts'
import { PEER_RULES } from '../fake/peer-rules.ts'

const throws = (): never => {
  throw new Error('our own mistake')
}
const lease = (n: number): StoreEntry => ({
  key: `/n/subnets/10.2.${n}.0-24`,
  value: Buffer.from(
    `{"PublicIP":"192.168.0.${n}","BackendType":"vxlan","BackendData":{"VtepMAC":"0a:00:00:00:00:0${n}"}}`,
  ),
  createRevision: String(n),
  modRevision: String(n),
  lease: '7',
})
/** A lease whose value cannot be read without an exception. */
const broken = (n: number): StoreEntry => ({
  ...lease(n),
  value: Object.assign(Buffer.from('{}'), { toString: throws }),
})

for (const [what, rules, entry] of [
  ['its value', PEER_RULES, broken(3)],
  ["the backend's part", { ...PEER_RULES, parseData: faulty(PEER_RULES.parseData) }, lease(3)],
  ['what it needs of the kernel', { ...PEER_RULES, needs: faulty(PEER_RULES.needs) }, lease(3)],
  ['what it claims', { ...PEER_RULES, exclusive: faulty(PEER_RULES.exclusive) }, lease(3)],
] as const) {
  test(`a lease is refused as a bug and the others are peers, when this throws: ${what}`, (t) => {
    const table = new PeerTable('/n', rules)
    const first = table.snapshot([lease(2), entry, lease(4)])
    t.deepEqual([...table.peers.keys()], [prefix('10.2.2.0/24'), prefix('10.2.4.0/24')])
    t.like(first.refused, [{ key: entry.key, reason: 'bug', detail: 'please report it: our own mistake' }])
    const leaseStats = new LeaseStats()
    const snapshot = { revision: '9', entries: [lease(2), entry, lease(4)] }
    leaseStats.take('/n', { type: 'snapshot', snapshot }, table, first)
    t.is(leaseStats.rejected.counts.get('bug'), 1)
    // Said once, however often it is read; and a lease that is repaired is a peer.
    t.deepEqual(table.snapshot([lease(2), entry, lease(4), lease(5)]).refused, [])
    t.is(table.peers.size, 3)
    table.snapshot([lease(2), lease(6), lease(4)])
    t.is(table.peers.size, 3)
    t.is(table.refused.size, 0)
  })
}

/** Throws for the third host. */
function faulty<Given extends readonly unknown[], Result>(
  right: (...given: Given) => Result,
): (...given: Given) => Result {
  return (...given) => (JSON.stringify(given).includes('0a:00:00:00:00:03') ? throws() : right(...given))
}

test('the claim reads the other leases, and counts the subnet of the broken one as taken', (t) => {
  const found = findLeases('/n', [lease(2), broken(3), lease(4)])
  t.deepEqual(
    found.map(({ subnets, value, bug }) => `${subnets.ipv4 ?? ''} ${value?.addresses.ipv4 ?? bug ?? ''}`),
    ['10.2.2.0/24 192.168.0.2', '10.2.3.0/24 please report it: our own mistake', '10.2.4.0/24 192.168.0.4'],
  )
  const matters = ({ key }: StoreEntry): boolean => (key.includes('.3.') ? throws() : true)
  t.is(findLeases('/n', [lease(2), lease(3)], matters).filter(({ bug }) => bug !== undefined).length, 1)
})

test('flanneld leases shows it with the reason, and the others as ever', (t) => {
  const text = renderLeases(viewOf('/n', { revision: '9', entries: [lease(2), broken(3), lease(4)] }, new Map()))
  t.regex(text, /10\.2\.2\.0\/24 +192\.168\.0\.2/)
  t.regex(text, /10\.2\.3\.0\/24 .*unreadable: bug/)
  t.regex(text, /10\.2\.4\.0\/24 +192\.168\.0\.4/)
})
