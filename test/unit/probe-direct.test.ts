// When packets to a peer on our link go there without a tunnel: only after proof, back at once when it fails, and without flapping.
import test from 'ava'
import fc from 'fast-check'
import { type DirectHistory, UNDECIDED, afterDirectTurn, afterTrial, isTrialDue } from '../../src/probe/direct.ts'
import type { TrialResult } from '../../src/probe/trial.ts'
import { asked, emptyTally, learned, type Tally } from '../../src/probe/tally.ts'
import { CONFIRMED, type Tallies } from '../../src/probe/turn-plan.ts'

const trial = (small: number, full: number): TrialResult => ({
  small: { sent: 4, answered: small },
  full: { sent: 2, answered: full },
})
const PASSES = trial(4, 2)
const SILENT = trial(0, 0)

function tallyOf(sent: number, answered: number): Tally {
  let tally = emptyTally(44, 1450)
  for (let i = 0; i < sent; i++) tally = asked(tally, 44)
  for (let i = 0; i < answered; i++) tally = learned(tally, 44, { kind: 'answered', rttMs: 1 })
  return tally
}
const turn = (inner: number, host: number, sent = CONFIRMED): Tallies => ({
  tunnel: tallyOf(sent, inner),
  underlay: tallyOf(sent, host),
})

/** Trials five seconds apart, from `from` on. */
function after(
  trials: readonly TrialResult[],
  before: DirectHistory = UNDECIDED,
  from = 0,
  host = true,
): DirectHistory {
  return trials.reduce((history, it, i) => afterTrial(history, it, host, from + i * 5000), before)
}

test('three good trials in a row prove the direct way; a lost packet is no objection, a silent one begins anew', (t) => {
  t.is(after([PASSES, PASSES]).direct, undefined)
  t.is(after([PASSES, trial(3, 1), PASSES]).direct, true)
  t.is(after([PASSES, PASSES, SILENT, PASSES, PASSES]).direct, undefined)
  t.is(after([PASSES, PASSES, trial(4, 0), PASSES, PASSES]).direct, undefined, 'full packets have to pass')
})

test('two silent trials disprove it while the host answers; a host that is down disproves nothing', (t) => {
  t.is(after([SILENT]).direct, undefined)
  const disproved = after([SILENT, SILENT])
  t.is(disproved.direct, false)
  t.false(isTrialDue(disproved, 20_000), 'tried less often')
  t.true(isTrialDue(disproved, 40_000))
  t.is(after([PASSES, PASSES, PASSES], disproved, 40_000).direct, true)
  t.is(after([SILENT, SILENT, SILENT, SILENT], UNDECIDED, 0, false).direct, undefined)
})

test('the direct way is left at once when eight packets are lost and the host answers, else it stays', (t) => {
  const direct = after([PASSES, PASSES, PASSES])
  t.is(afterDirectTurn(direct, turn(0, 8), 60_000).direct, false)
  t.is(afterDirectTurn(direct, turn(1, 8), 60_000).direct, true, 'one came back')
  t.is(afterDirectTurn(direct, turn(0, 0), 60_000).direct, true, 'the host may be down: a tunnel would not help')
  t.is(afterDirectTurn(direct, turn(0, 4, 4), 60_000).direct, true, 'too few to say so')
})

test('what failed is proven later each time: at most one change to the direct way in half a minute, in half an hour after many', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 50, maxLength: 400 }), (carries) => {
      let history = UNDECIDED
      const wentDirect: number[] = []
      for (const [i, good] of carries.entries()) {
        const now = i * 5000
        const before = history.direct
        if (before === true) history = afterDirectTurn(history, turn(good ? 8 : 0, 8), now)
        else if (isTrialDue(history, now)) history = afterTrial(history, good ? PASSES : SILENT, true, now)
        if (history.direct === true && before !== true) wentDirect.push(now)
      }
      for (const [i, at] of wentDirect.entries()) {
        const gap = at - (wentDirect[i - 1] ?? -Infinity)
        t.true(gap >= Math.min(1_800_000, 30_000 * 2 ** i), `change ${i} after ${gap} ms`)
      }
    }),
  )
})
