// Distinguishes an etcd that lost its data from deleted leases and from hosts that left.
import test from 'ava'
import type { StoreChange, StoreEntry, WatchStep } from '../../src/etcd/store.ts'
import { lossIn, withoutDeletions } from '../../src/lease/loss.ts'

const FOLDER = '/n/subnets/'
const OWN = `${FOLDER}10.2.1.0-24`
const seen = { ownKey: OWN, folder: FOLDER, revision: 10n, ranOut: false }
const entry = (key: string): StoreEntry => ({
  key,
  value: Buffer.from('{}'),
  createRevision: '1',
  modRevision: '1',
  lease: '1',
})
const gone = (key: string, modRevision: string): StoreChange => ({ type: 'delete', key, modRevision })
const snapshot = (revision: string, ...keys: readonly string[]): WatchStep => ({
  type: 'snapshot',
  snapshot: { revision, entries: keys.map(entry) },
})
const changes = (...list: readonly StoreChange[]): WatchStep => ({ type: 'changes', revision: '11', changes: list })

test('a revision that went back is lost data, whatever is in it', (t) => {
  t.deepEqual(lossIn(snapshot('9', OWN), seen), { of: 'data', why: 'its revision went back from 10 to 9' })
})

test('another history is lost data, though its revision is past ours and our lease is in it', (t) => {
  const step = { type: 'snapshot', snapshot: { revision: '99', entries: [entry(OWN)], history: 'another' } } as const
  t.like(lossIn(step, seen), { of: 'data' })
})

test('our own lease gone because it ran out while etcd was out of reach: others may have run out as well', (t) => {
  const step = snapshot('11', `${FOLDER}10.2.2.0-24`)
  t.like(lossIn(step, { ...seen, ranOut: true }), { of: 'data' })
  t.is(lossIn(snapshot('11', OWN), { ...seen, ranOut: true }), undefined)
})

test('a later listing without our own lease means that leases were deleted, not that data are lost', (t) => {
  t.like(lossIn(snapshot('11', `${FOLDER}10.2.2.0-24`), seen), { of: 'leases' })
  t.is(lossIn(snapshot('11', OWN), seen), undefined)
  t.is(lossIn(snapshot('11'), { ...seen, revision: 0n }), undefined)
})

test('our lease deleted together with others means deleted leases; alone, or at another revision, hosts may have left', (t) => {
  t.like(lossIn(changes(gone(OWN, '11'), gone(`${FOLDER}10.2.2.0-24`, '11')), seen), { of: 'leases' })
  t.is(lossIn(changes(gone(OWN, '11')), seen), undefined)
  t.is(lossIn(changes(gone(`${FOLDER}10.2.2.0-24`, '11'), gone(`${FOLDER}10.2.3.0-24`, '11')), seen), undefined)
  t.is(lossIn(changes(gone(OWN, '11'), gone(`${FOLDER}10.2.2.0-24`, '12')), seen), undefined)
  t.is(lossIn(changes(gone(OWN, '11'), gone('/n/config', '11')), seen), undefined)
})

test('while peers are kept, only deletions are held back', (t) => {
  const put: StoreChange = { type: 'put', entry: entry(OWN) }
  t.deepEqual(withoutDeletions([gone(OWN, '11'), put]), [put])
})
