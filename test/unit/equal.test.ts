import test from 'ava'
import { equal } from '../../src/equal.ts'

test('plain data is equal by content, whatever the order of its fields', (t) => {
  t.true(equal({ a: [1, { b: 2n }], c: 'x' }, { c: 'x', a: [1, { b: 2n }] }))
  t.false(equal([1, 2], [2, 1]))
  t.false(equal({ a: 1 }, { a: 2 }))
})

test('maps and sets are equal by content', (t) => {
  t.true(equal(new Set(['a', 'b']), new Set(['b', 'a'])))
  t.false(equal(new Set(['a']), new Set(['b'])))
  t.true(equal(new Map([['a', { b: 1 }]]), new Map([['a', { b: 1 }]])))
  t.false(equal(new Map([['a', { b: 1 }]]), new Map([['a', { b: 2 }]])))
})

test('an absent field differs from one that is undefined', (t) => {
  t.false(equal<{ a?: number | undefined }>({}, { a: undefined }))
})

test('a list is not an object with its indexes, nor a map an object without fields', (t) => {
  t.false(equal<unknown>([1], { 0: 1 }))
  t.false(equal<unknown>({ 0: 1 }, [1]))
  t.false(equal<unknown>(new Map(), {}))
  t.false(equal<unknown>({}, new Set()))
  t.false(equal<unknown>(null, {}))
})
