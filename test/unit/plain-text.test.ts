// Text of others on its way to a log, a table or a page.
import test from 'ava'
import fc from 'fast-check'
import { BACKENDS } from '../../backends/index.ts'
import { columns } from '../../src/text/columns.ts'
import { renderEvent } from '../../src/cli/verbs/events.ts'
import { Conditions } from '../../src/health/conditions.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { renderReport as renderDoctor } from '../../src/doctor/report.ts'
import { EtcdError } from '../../src/errors.ts'
import { cut, printable, widthOf } from '../../src/text/plain-text.ts'

const nasty = fc.string({
  unit: fc.constantFrom(
    ...['a', ' ', '\n', '\r', '\t', '\0', '\u001b', '\u009b', '\u0085', '\u2028', '\u2029', '\u00a0', '\u3000'],
    ...['\u202e', '\u2066', '\u2069', '\u200e', '\u061c', '\u200b', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u034f'],
    ...['\ufe0f', '\u3164', '\ud800', '\udc00', '\u0301', '\u20dd', '\ue000', '\u{e0041}', '\u{e0100}', '\u{10ffff}'],
    ...['\u05d0', '\u0627', '\u{1e900}', '\u4e2d', '\u{1f600}', 'é', 'ß'],
  ),
  maxLength: 60,
})
const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), nasty)

test('printable text is one line from left to right in which everything is seen, and stays as it is', (t) => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 3, max: 100 }), (text, most) => {
      const line = printable(text, most)
      t.true(line.length <= most)
      t.notRegex(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u)
      t.notRegex(line, /\p{M}{3}|\p{Script=Hebrew}|\p{Script=Arabic}/u)
      t.is(printable(line, most), line)
    }),
    { numRuns: 3_000 },
  )
})

test('what cannot be seen is written out, lines become one, letters of any language stay', (t) => {
  t.is(printable('10.2.3.0\u202e-24'), '10.2.3.0\\u202e-24')
  t.is(printable('a\u200bb\ufeff\u{e0001}'), 'a\\u200bb\\ufeff\\u{e0001}')
  t.is(printable('half \ud83d of one'), 'half \\ud83d of one')
  t.is(printable('one\r\n\u001b[2Jtwo\u2028three\u2029four'), 'one [2Jtwo three four')
  t.is(printable(`Z${'\u0301'.repeat(500)}algo`), 'Z\u0301\u0301algo')
  t.is(printable('Zürich naïve 東京'), 'Zürich naïve 東京')
})

test('a long text is cut, and no character in two', (t) => {
  t.is(cut('abcdef', 6), 'abcdef')
  t.is(cut('abcdefg', 6), 'abc...')
  t.is(cut('ab\u{1f600}cdefgh', 6), 'ab...')
  t.is(printable('x'.repeat(1_000_000)).length, 4096)
})

test('a table keeps its width whatever is in it', (t) => {
  fc.assert(
    fc.property(texts, (text) => {
      const word = printable(text)
      const rows = columns([
        ['SUBNET', 'NOTE'],
        [word, 'x'],
        ['10.2.3.0/24', 'x'],
      ]).split('\n')
      t.is(rows.length, 4)
      const [, hostile = '', plain = ''] = rows
      t.is(widthOf(hostile), widthOf(plain))
    }),
    { numRuns: 2_000 },
  )
  t.deepEqual(['abc', 'e\u0301', '東京', '\u{1f600}', 'é'].map(widthOf), [3, 1, 4, 2, 1])
})

test('what foreign words stand in keeps its lines: status, doctor, leases, events, config', (t) => {
  const foreign = 'x\u202e\u2028\n\u001b[2J\u200b' + '\u0301'.repeat(100)
  const hidden = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}|\p{M}{3}/u
  const fault = { level: 'fault', cause: foreign, fix: foreign, proof: foreign } as const
  const check = { name: 'lease', about: '', level: 'fault', note: '', faults: [fault] } as const
  const doctor = renderDoctor({ verdict: 'broken', code: 2, peer: null, checks: [check] }, true)
  const event = renderEvent({ id: 1, at: 0, kind: 'peer', bad: true, text: foreign })
  const conditions = new Conditions()
  conditions.set('x', { level: 'fault', gist: foreign, text: foreign, run: null })
  const [held] = conditions.all
  const config = t.throws(() => readConfiguration(JSON.stringify({ Network: foreign }), BACKENDS)).message
  const keys = readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', [foreign]: 1 }), BACKENDS).remarks.map(
    ({ text }) => text,
  )
  for (const text of [doctor, event, held?.gist, held?.text, config, ...keys]) t.notRegex(text ?? '\n\0', hidden)
  t.is(event.split('\n').length, 1)
  const plain = { ...check, faults: [{ level: 'fault', cause: 'x', fix: 'x', proof: 'x' }] } as const
  const same = renderDoctor({ verdict: 'broken', code: 2, peer: null, checks: [plain] }, true)
  t.is(doctor.split('\n').length, same.split('\n').length)
  t.is(new EtcdError('refused', 'http://a:1', foreign).message.split('\n').length, 1)
})
