// Work requested at any moment: one run at a time, and one more after the last request.
import test from 'ava'
import fc from 'fast-check'
import { coalesce } from '../../src/async/coalesce.ts'

test('one run is under way at a time, and a complete run follows each request', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ticks: fc.nat({ max: 6 }), times: fc.nat({ max: 3 }) }), { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 4 }),
      async (askers, work) => {
        let [running, most, begun] = [0, 0, 0]
        const ask = coalesce(
          async () => {
            begun++
            most = Math.max(most, ++running)
            await ticks(work)
            running--
          },
          () => undefined,
        )
        await Promise.all(
          askers.map(async (asker) => {
            await ticks(asker.ticks)
            for (let i = 0; i <= asker.times; i++) {
              const before = begun
              // As updates do that follow one another.
              await ask()
              t.true(begun > before)
            }
          }),
        )
        t.is(most, 1)
        t.is(running, 0)
      },
    ),
    { numRuns: 300 },
  )
})

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve()
}
