// Deletions that wait a moment: what comes back in time was never away.
import test from 'ava'
import fc from 'fast-check'
import type { StoreChange } from '../../src/etcd/store.ts'
import type { Address } from '../../src/ip/address.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { Departures, movedBy } from '../../src/lease/departures.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const put = (key: string): StoreChange => ({
  type: 'put',
  entry: { key, value: Buffer.from('x'), createRevision: '1', modRevision: '1', lease: '7' },
})
const gone = (key: string): StoreChange => ({ type: 'delete', key, modRevision: '2' })

function departures(t: { teardown: (end: () => void) => void }, ms: number): { of: Departures; left: string[] } {
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
  })
  const left: string[] = []
  return { of: new Departures((all) => left.push(...all.map(({ key }) => key)), stop.signal, ms), left }
}

test('what is written passes at once; what is deleted is deleted later, once, in its order', async (t) => {
  const { of, left } = departures(t, 30)
  t.deepEqual(of.take([put('a'), gone('b'), put('c'), gone('d'), gone('b')]), [put('a'), put('c')])
  t.deepEqual(left, [])
  await waitFor('the deletions', () => left.length > 1)
  t.deepEqual(left, ['b', 'd'])
})

test('a key that is written again in time is never deleted, in the same step or a later one, or listed again', async (t) => {
  const { of, left } = departures(t, 50)
  t.deepEqual(of.take([gone('a'), put('a')]), [put('a')])
  of.take([gone('b'), gone('c'), gone('d')])
  t.deepEqual(of.take([put('b')]), [put('b')])
  of.listed(new Set(['c']), [], '5')
  await waitFor('the other', () => left.length > 0)
  t.deepEqual(left, ['d'])
})

test('what a listing misses waits as well, and no longer for being missed again', async (t) => {
  const { of, left } = departures(t, 100)
  of.listed(new Set(), ['a'], '5')
  const timer = setInterval(() => {
    of.listed(new Set(), ['a'], '6')
  }, 10)
  t.teardown(() => {
    clearInterval(timer)
  })
  await waitFor('its deletion', () => left.length > 0)
  clearInterval(timer)
  t.deepEqual([...new Set(left)], ['a'])
})

test('the lease of a host that has another one by then is deleted at once, in its place among the changes', async (t) => {
  const { of, left } = departures(t, 30)
  const folder = '/coreos.com/network/subnets'
  const key = (n: number): string => `${folder}/10.2.${n}.0-24`
  const lease = (n: number, address: string): StoreChange => {
    const value = Buffer.from(JSON.stringify({ PublicIP: address, BackendType: 'host-gw' }))
    return { type: 'put', entry: { key: key(n), value, createRevision: '3', modRevision: '3', lease: '7' } }
  }
  const at = (n: number, address: string): [Prefix, { publicAddress: Address }] => [
    `10.2.${n}.0/24` as Prefix,
    { publicAddress: address as Address },
  ]
  const peers = new Map([at(1, '10.0.0.1'), at(2, '10.0.0.2'), at(3, '10.0.0.3'), at(4, '10.0.0.3')])
  const take = (changes: readonly StoreChange[]): readonly StoreChange[] =>
    of.take(changes, movedBy(changes, '/coreos.com/network', peers))
  const byOne = [gone(key(1)), lease(9, '10.0.0.1')]
  t.deepEqual(take(byOne), byOne, 'in one transaction')
  t.deepEqual(take([gone(key(3))]), [gone(key(3))], 'the other one is known')
  t.deepEqual(take([gone(key(2)), lease(8, '10.0.0.8'), gone(key(99))]), [lease(8, '10.0.0.8')])
  // Both leases of a host at once: then it left, or an operator deleted them by mistake.
  t.deepEqual(take([gone(key(3)), gone(key(4))]), [])
  await waitFor('the others', () => left.length > 3)
  t.deepEqual(left, [key(2), key(99), key(3), key(4)])
})

test('when etcd lost its data nothing that waits is deleted', async (t) => {
  const { of, left } = departures(t, 20)
  of.take([gone('a'), gone('b')])
  of.forget()
  of.take([gone('c')])
  await waitFor('a later one', () => left.length > 0)
  t.deepEqual(left, ['c'])
})

test('any history ends with the deletions that were not taken back', async (t) => {
  const step = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean()), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 5 }), async (steps) => {
      const { of, left } = departures(t, 1)
      const there = new Map<string, boolean>()
      for (const changes of steps) {
        const passed = of.take(changes.map(([key, is]) => (is ? put(key) : gone(key))))
        t.is(passed.length, changes.filter(([, is]) => is).length)
        for (const [key, is] of changes) there.set(key, is)
      }
      const absent = [...there].flatMap(([key, is]) => (is ? [] : [key])).toSorted()
      await waitFor('the deletions', () => left.length >= absent.length)
      t.deepEqual(left.toSorted(), absent)
    }),
    { numRuns: 50 },
  )
})
