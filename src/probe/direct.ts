// Whether packets to a peer on our link should go there without a tunnel, from what trials and turns show. Pure.
//
// Going direct can wait, so it is proven several times over. Leaving it cannot: containers' packets are lost meanwhile. What failed
// once is believed later each time, so that a network that changes its mind does not make routes flap.
import type { TrialResult } from './trial.ts'
import { type Tally, answers, smallOnes } from './tally.ts'
import { CONFIRMED, type Tallies } from './turn-plan.ts'

/** What is known of the direct way to a peer. Times are performance.now, milliseconds. */
export interface DirectHistory {
  /** Whether packets go directly; undefined while it is not known if they could. */
  readonly direct: boolean | undefined
  /** Trials in a row that passed, and that failed though the host is there. */
  readonly passed: number
  readonly failed: number
  /** When `direct` last became, or ceased to be, true. */
  readonly changedAt: number | undefined
  /** How often it ceased to be true. */
  readonly lapses: number
  /** When the next trial is due. */
  readonly dueAt: number
}

export const UNDECIDED: DirectHistory = {
  direct: undefined,
  passed: 0,
  failed: 0,
  changedAt: undefined,
  lapses: 0,
  dueAt: 0,
}

/** Trials in a row that prove the direct way, and that prove there is none. */
const PROOF = 3
const DISPROOF = 2
/** From one change to the next that is no emergency; doubled by each lapse, up to MOST. */
const REST_MS = 30_000
const MOST_REST_MS = 1_800_000
/** Between trials of what was disproved. */
const RETRY_MS = 30_000

/** Whether a trial is due: only while packets do not go directly. */
export function isTrialDue({ direct, dueAt }: DirectHistory, now: number): boolean {
  return direct !== true && now >= dueAt
}

/** After a trial; `hostAnswers`: whether the peer's host answered by its public address meanwhile. */
export function afterTrial(
  before: DirectHistory,
  { small, full }: TrialResult,
  hostAnswers: boolean,
  now: number,
): DirectHistory {
  // One small packet may be lost, one full one too: a link that loses more is not better than a tunnel on it.
  if (small.answered >= small.sent - 1 && full.answered > 0) {
    const passed = before.passed + 1
    const known = { ...before, passed, failed: 0, dueAt: 0 }
    return passed >= PROOF && now >= restUntil(before) ? { ...known, direct: true, passed: 0, changedAt: now } : known
  }
  if (small.answered + full.answered > 0 || !hostAnswers) return { ...before, passed: 0 }
  const failed = before.failed + 1
  const disproved = failed >= DISPROOF
  return {
    ...before,
    passed: 0,
    failed,
    direct: disproved ? false : before.direct,
    dueAt: disproved ? now + RETRY_MS : 0,
  }
}

/** After a turn in which packets went directly: `inner` with addresses of the overlay, `hosts` without. */
export function afterDirectTurn(before: DirectHistory, { tunnel, underlay }: Tallies, now: number): DirectHistory {
  if (tunnel === undefined || !isLost(tunnel) || !answers(underlay)) return before
  const lapses = before.lapses + 1
  const after = { ...before, direct: false, passed: 0, failed: 0, changedAt: now, lapses }
  return { ...after, dueAt: restUntil(after) }
}

/** Nothing came back of as many packets as count. */
function isLost(tally: Tally): boolean {
  return !answers(tally) && smallOnes(tally).sent >= CONFIRMED
}

function restUntil({ changedAt, lapses }: DirectHistory): number {
  if (changedAt === undefined) return 0
  return changedAt + Math.min(MOST_REST_MS, REST_MS * 2 ** lapses)
}
