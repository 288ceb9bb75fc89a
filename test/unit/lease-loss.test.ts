// E5: telling an etcd that lost its data from hosts that left.
import test from 'ava'
import type { Change, Entry, WatchStep } from '../../src/etcd/store.ts'
import { lossIn, withoutDeletions } from '../../src/lease/loss.ts'

const FOLDER = '/n/subnets/'
const OWN = `${FOLDER}10.2.1.0-24`
const seen = { ownKey: OWN, folder: FOLDER, revision: 10n }
const entry = (key: string): Entry => ({
  key,
  value: Buffer.from('{}'),
  createRevision: '1',
  modRevision: '1',
  lease: '1',
})
const gone = (key: string, modRevision: string): Change => ({ type: 'delete', key, modRevision })
const snapshot = (revision: string, ...keys: readonly string[]): WatchStep => ({
  type: 'snapshot',
  snapshot: { revision, entries: keys.map(entry) },
})
const changes = (...list: readonly Change[]): WatchStep => ({ type: 'changes', revision: '11', changes: list })

test('a revision that went back is a loss, whatever is in it', (t) => {
  t.regex(lossIn(snapshot('9', OWN), seen) ?? '', /went back from 10 to 9/)
})

test('a listing without our own lease is a loss, but for the first', (t) => {
  t.truthy(lossIn(snapshot('11', `${FOLDER}10.2.2.0-24`), seen))
  t.is(lossIn(snapshot('11', OWN), seen), undefined)
  t.is(lossIn(snapshot('11'), { ...seen, revision: 0n }), undefined)
})

test('our lease deleted together with others is a loss; alone, or at another revision, it is not', (t) => {
  t.truthy(lossIn(changes(gone(OWN, '11'), gone(`${FOLDER}10.2.2.0-24`, '11')), seen))
  t.is(lossIn(changes(gone(OWN, '11')), seen), undefined)
  t.is(lossIn(changes(gone(`${FOLDER}10.2.2.0-24`, '11'), gone(`${FOLDER}10.2.3.0-24`, '11')), seen), undefined)
  t.is(lossIn(changes(gone(OWN, '11'), gone(`${FOLDER}10.2.2.0-24`, '12')), seen), undefined)
  t.is(lossIn(changes(gone(OWN, '11'), gone('/n/config', '11')), seen), undefined)
})

test('while data are lost, only deletions are held back', (t) => {
  const put: Change = { type: 'put', entry: entry(OWN) }
  t.deepEqual(withoutDeletions([gone(OWN, '11'), put]), [put])
})
