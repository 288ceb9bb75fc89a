// Deletions that wait a moment: what comes back in time was never away.
import test from 'ava'
import fc from 'fast-check'
import type { Change } from '../../src/etcd/store.ts'
import { Departures } from '../../src/lease/departures.ts'
import { waitFor } from '../lab/wait.ts'

const put = (key: string): Change => ({
  type: 'put',
  entry: { key, value: Buffer.from('x'), createRevision: '1', modRevision: '1', lease: '7' },
})
const gone = (key: string): Change => ({ type: 'delete', key, modRevision: '2' })

function departures(t: { teardown: (end: () => void) => void }, ms: number): { of: Departures; left: string[] } {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
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
  const timer = setInterval(() => of.listed(new Set(), ['a'], '6'), 10)
  t.teardown(() => clearInterval(timer))
  await waitFor('its deletion', () => left.length > 0)
  clearInterval(timer)
  t.deepEqual([...new Set(left)], ['a'])
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
