// Repairs that do not end: when they are a fault, which object has it, and when it is over.
import test from 'ava'
import fc from 'fast-check'
import { Conditions } from '../../src/health/conditions.ts'
import { Fights } from '../../src/reconcile/fights.ts'
import { reportFights } from '../../src/daemon/repair-fight.ts'
import { createLog } from '../../src/log.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

/** Repairs an object periodically from `from` to `to` (milliseconds). */
function fight(fights: Fights, object: string, every: number, from: number, to: number): void {
  for (let at = from; at < to; at += every) fights.noted(object, at)
}

for (const [what, every, until] of [
  ['fifty times a second', 20, 2 * SECOND],
  ['once a second', SECOND, 25 * SECOND],
  ['every ten seconds', 10 * SECOND, 8 * MINUTE],
  ['once a minute, as a configuration tool does', 50 * SECOND, 55 * MINUTE],
] as const) {
  test(`an object repaired ${what} is fought over, and named`, (t) => {
    const fights = new Fights()
    fights.noted('route 10.2.9.0/24', 0)
    fight(fights, 'route 10.2.3.0/24', every, 0, until)
    t.is(fights.current(until), 'route 10.2.3.0/24')
  })
}

test('damage by hand, and many objects damaged once, are no fight', (t) => {
  const fights = new Fights()
  fight(fights, 'device flannel.1', 5 * SECOND, 0, 50 * SECOND)
  for (let n = 0; n < 5000; n++) fights.noted(`route ${n}`, n)
  t.is(fights.current(50 * SECOND), undefined)
})

test('a fight keeps its name while another object is damaged, and is over when it is quiet', (t) => {
  const fights = new Fights()
  fight(fights, 'one', SECOND, 0, 30 * SECOND)
  t.is(fights.current(30 * SECOND), 'one')
  fight(fights, 'another', 500, 30 * SECOND, 80 * SECOND)
  t.is(fights.current(80 * SECOND), 'one')
  t.is(fights.current(91 * SECOND), 'another', 'the first has been quiet for a minute')
  t.is(fights.current(3 * MINUTE), undefined)
})

test('the memory of repairs is bounded, whatever is repaired', (t) => {
  const step = fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 100_000 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3000 }), (steps) => {
      const fights = new Fights()
      let now = 0
      for (const [object, later] of steps) fights.noted(String(object), (now += later))
      const named = fights.current(now)
      return named === undefined || steps.filter(([object]) => String(object) === named).length >= 20
    }),
    { numRuns: 200 },
  )
  t.pass()
})

test('a fight is a standing fault, reported once in the log and as an event, and so is its end', (t) => {
  const fights = new Fights()
  const conditions = new Conditions()
  const lines: string[] = []
  const happened: string[] = []
  const log = createLog('kernel', 0, (line) => lines.push(line))
  const events = { happened: (kind: string, text: string): void => void happened.push(`${kind} ${text}`) }
  const look = (): void => {
    reportFights(fights, conditions, events, log)
  }
  look()
  t.deepEqual([conditions.all, lines], [[], []])
  const now = performance.now()
  fight(fights, 'route 10.2.3.0/24', 10, now - 400, now)
  look()
  fights.noted('route 10.2.3.0/24')
  look()
  t.like(conditions.all[0], { code: 'repair-fight', level: 'fault' })
  t.regex(conditions.all[0]?.text ?? '', /route 10\.2\.3\.0\/24/)
  t.is(lines.length, 1)
  t.regex(lines[0] ?? '', /^E.*route 10\.2\.3\.0\/24: changed by another program/)
  t.is(happened.length, 1)
})
