// How many inputs a property sees, and texts that are nearly right: bytes at random seldom get past the first check.
import fc from 'fast-check'

/** Inputs of all properties together under `make fuzz` come to more than a million; `make test` tries a hundredth. */
const FULL = process.env['FUZZ'] === '1'

/** Parameters of a property that sees `full` inputs under `make fuzz`. */
export function inputs(full: number): { readonly numRuns: number } {
  return { numRuns: FULL ? full : Math.max(300, full / 100) }
}

/** One of `texts`, mutilated: pieces cut out, doubled, swapped for others or for anything at all. */
export function nearly(...texts: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(6),
    put: fc.oneof(
      fc.constantFrom('', '', '/', '-', '&', ':', '.', '0', '00', '1', '255', '"', "'", '{', '}', ',', '\n', '\0', ' '),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
  })
  return fc.tuple(fc.constantFrom(...texts), fc.array(edit, { maxLength: 4 })).map(([text, edits]) =>
    edits.reduce((now, { at, cut, put }) => {
      const from = Math.floor(at * (now.length + 1))
      return now.slice(0, from) + put + now.slice(from + cut)
    }, text),
  )
}

/** Any text: readable, binary, or long. */
export const anyText: fc.Arbitrary<string> = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json())

/** Names that JavaScript gives a meaning to, and those that leases and configs have. */
const ODD_NAMES = fc.constantFrom(
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toJSON', 'then', 'length', 'hasOwnProperty', ''],
  ...['VNI', 'VtepMAC', 'PublicIP', 'BackendType', 'BackendData', 'HostID', 'Network', 'Backend', 'Type'],
)

/** JSON that is deeper or longer than anybody means it to be. */
const EXCESS: fc.Arbitrary<string> = fc.oneof(
  fc.nat(2_000).map((depth) => `${'['.repeat(depth)}1${']'.repeat(depth)}`),
  fc.nat(1_000).map((depth) => `${'{"toString":'.repeat(depth)}1${'}'.repeat(depth)}`),
  fc.nat(20_000).map((length) => JSON.stringify('x\u202e'.repeat(length / 2))),
  fc.nat(300).map((digits) => `1${'0'.repeat(digits)}`),
)

/** Any JSON text: nested, with odd names, hidden characters, and now and then in excess. */
export const anyJson: fc.Arbitrary<string> = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    fc.oneof(fc.jsonValue({ maxDepth: 0 }), fc.string({ unit: 'binary' })).map((value) => JSON.stringify(value)),
    tie('object'),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(',')}]`),
    { weight: 1, arbitrary: EXCESS },
  ),
  object: fc
    .array(fc.tuple(ODD_NAMES, tie('value')), { maxLength: 4 })
    .map((fields) => `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
})).value

/** A JSON value of any kind, as parsed: with names such as `__proto__` of its own. */
export const anyValue: fc.Arbitrary<unknown> = anyJson.map((text): unknown => JSON.parse(text))

/** A JSON object that has some of `fields`, with values from there or of any kind. */
export function objectWith(
  fields: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Record<string, unknown>> {
  const model = Object.fromEntries(
    Object.entries(fields).map(([name, good]) => [name, fc.oneof({ weight: 6, arbitrary: good }, anyValue)]),
  )
  const odd = fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, fc.dictionary(ODD_NAMES, anyValue, { maxKeys: 3 }))
  return fc.tuple(fc.record(model, { requiredKeys: [] }), odd).map(([known, other]) => ({ ...other, ...known }))
}
