import test from 'ava'
import { type ConditionText, Conditions } from '../../src/health/conditions.ts'

const said = (level: ConditionText['level'], text: string): ConditionText => ({ level, gist: text, text, run: null })

test('a condition is new once, and again when it says something else', (t) => {
  const conditions = new Conditions()
  t.true(conditions.set('a', said('fault', 'x')))
  t.false(conditions.set('a', said('fault', 'x')))
  t.true(conditions.set('a', said('fault', 'y')))
  t.true(conditions.set('a', said('warning', 'y')))
})

test('a condition keeps the time at which it began, until it is over', (t) => {
  const conditions = new Conditions()
  conditions.set('a', said('fault', 'x'))
  const [first] = conditions.all
  conditions.set('a', said('fault', 'y'))
  t.is(conditions.all[0]?.since, first?.since)
  t.true(conditions.clear('a'))
  t.false(conditions.clear('a'))
  t.deepEqual(conditions.all, [])
})

test('the worst condition comes first', (t) => {
  const conditions = new Conditions()
  conditions.set('a', said('note', 'a'))
  conditions.set('b', said('fault', 'b'))
  conditions.set('c', said('warning', 'c'))
  t.deepEqual(
    conditions.all.map(({ code }) => code),
    ['b', 'c', 'a'],
  )
})
