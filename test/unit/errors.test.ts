// How foreign text is shown in a message.
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { vxlan } from '../../backends/vxlan/index.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { ConfigError, messageOf, show } from '../../src/errors.ts'
import { VXLAN_DEFAULTS } from '../fake/values.ts'

/** JSON values with the names that JavaScript gives a meaning to, as deep as they come. */
const odd = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 9 }, fc.jsonValue(), tie('object'), fc.array(tie('value'), { maxLength: 3 })),
  object: fc.dictionary(
    fc.constantFrom('toString', 'valueOf', 'toJSON', 'constructor', '__proto__', 'length', 'then', 'a'),
    tie('value'),
    { maxKeys: 4 },
  ),
})).value

test('show: any value is one short line, and nothing throws', (t) => {
  const nested: unknown = JSON.parse(`${'['.repeat(60_000)}${']'.repeat(60_000)}`)
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const never = (): never => {
    throw new Error('never')
  }
  const trap = new Proxy({}, { ownKeys: never, getPrototypeOf: never, get: never })
  const given = [nested, circle, trap, { toString: 1 }, Object.create(null), { toJSON: never }, Symbol('a'), 10n, never]
  for (const value of given) {
    t.true(show(value).length <= 80)
    t.true(messageOf(value).length <= 80)
  }
  fc.assert(
    fc.property(fc.oneof(odd, fc.anything({ withNullPrototype: true, withBigInt: true })), (value) => {
      const text = show(value)
      return text.length <= 80 && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text) && messageOf(value).length <= 4096
    }),
    { numRuns: 3_000 },
  )
})

test('show: short JSON is shown as is; long or deep values end in dots', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const text = JSON.stringify(value)
      if (text.length <= 80 && !/\\ud|[^ -~]/.test(text)) t.is(show(value), text)
    }),
  )
  t.is(show({ VNI: 1, list: [true, null, 'a'] }), '{"VNI":1,"list":[true,null,"a"]}')
  t.is(show('x'.repeat(100)), `"${'x'.repeat(76)}...`)
  t.is(show([[[[[[[1]]]]]]]), '[[[[[[[...]]]]]]]')
  t.is(show('a\u202eb'), '"a\\u202eb"')
  t.is(show(undefined), 'undefined')
})

test('show: a value of many megabytes costs no more than a small one', (t) => {
  const many = Array.from({ length: 1_000_000 }, (_, n) => n)
  const began = performance.now()
  for (let n = 0; n < 20; n++) t.true(show('y'.repeat(10_000_000)).length === 80 && show([[many]]).length === 80)
  t.true(performance.now() - began < 30_000)
})

test('messageOf: the message of an error, however it was tampered with', (t) => {
  t.is(messageOf(new Error('plain')), 'plain')
  t.is(messageOf('thrown as text'), 'thrown as text')
  t.is(messageOf(Object.assign(new Error('a'), { message: { toString: 1 } })), '{"toString":1}')
  t.is(messageOf(new Error('x'.repeat(1_000_000))).length, 4096)
})

test('a VNI or VtepMAC that is an object with a toString of its own is refused, and throws nothing', (t) => {
  for (const vni of [{ toString: 1 }, [[{ toString: null }]], { valueOf: 1, toString: 1 }, '1'.repeat(10_000)]) {
    const read = vxlan.parsePeerData({ VNI: vni, VtepMAC: '0a:00:00:00:00:01' }, VXLAN_DEFAULTS)
    t.like(read, { ok: false, reason: 'vni' })
    t.true(!read.ok && read.detail.length < 120)
    const other = vxlan.parsePeerData({ VNI: 1, VtepMAC: vni }, VXLAN_DEFAULTS)
    t.like(other, { ok: false, reason: 'mac' })
    t.true(!other.ok && other.detail.length < 120)
  }
})

test('a config value nested too deep to write as JSON is refused, in one line', (t) => {
  for (const backend of [
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
    `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
  ]) {
    const text = `{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":${backend}}}`
    const error = t.throws(() => readConfiguration(text, BACKENDS), { instanceOf: ConfigError })
    t.true(error.message.length < 200 && JSON.stringify(error.value).length < 200)
  }
})
