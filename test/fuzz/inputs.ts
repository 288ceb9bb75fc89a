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

/** A JSON object that has some of `fields`, with values from there or of any kind. */
export function objectWith(
  fields: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<Record<string, unknown>> {
  const model = Object.fromEntries(
    Object.entries(fields).map(([name, good]) => [
      name,
      fc.oneof({ weight: 6, arbitrary: good }, fc.jsonValue({ maxDepth: 1 })),
    ]),
  )
  return fc.record(model, { requiredKeys: [] })
}
