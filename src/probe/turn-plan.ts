// What a turn asks, burst by burst, as a function of what it has found so far. Pure.
//
// The numbers: at 5% loss each way an echo is lost with p = 1 - 0.95^2 = 0.0975. A peer is called silent, or the full size
// too large, when all of CONFIRMED = 8 packets were lost: p^8 = 8e-9. In ten minutes 16 peers a round have 1,920 turns:
// 2e-5 false alarms. The second half of them is sent in the same turn, which then takes 2.6 s: a peer that falls silent is
// found within 8 s in a cluster of up to 16 peers, with a turn each 5 s, and within 15 s in one of 39.
// Of whom no answer is expected is asked less, until one comes: a cluster has hosts that are switched off.
import { type Tally, answers, countOf, fails, passes, shortens } from './tally.ts'

/** One packet to send. */
export interface Ask {
  readonly lane: 'tunnel' | 'underlay'
  readonly length: number
  /** Which step of its burst it is sent in: steps are STEP_MS apart, so that what loses one packet spares the next. */
  readonly step: number
}

/** Milliseconds. */
export const STEP_MS = 100
/** Bursts a turn has at most. */
export const BURSTS = 6

/**
 * What the turns before lead one to expect: answers; nothing known, as the peer never answered and had one turn at most
 * (it gets two before it is called silent: CONFIRMED packets again); or that neither it nor its host answers.
 */
export type Expected = 'answers' | 'either' | 'nothing'

/** Packets of one kind in the first burst, and how many in all before their loss means something. */
const SMALL_PROBES = 4
const FULL_PROBES = 2
/** Small packets by each lane to a peer that is silent. */
const SILENT_PROBES = 2
export const CONFIRMED = 8
/** Sizes tried at once in the search for the one that passes: 1,400 possible ones are down to one in three bursts. */
const MTU_STEPS = 12
const COPIES = 2

/** The lanes of a turn. */
export interface Tallies {
  readonly tunnel: Tally | undefined
  readonly underlay: Tally
}

/** What to send in burst number `burst`, counted from 0; nothing when the turn is over. */
export function nextAsks({ tunnel, underlay }: Tallies, burst: number, expected: Expected): readonly Ask[] {
  const both = (asks: (lane: Ask['lane'], tally: Tally) => readonly Ask[]): readonly Ask[] => [
    ...(tunnel === undefined ? [] : asks('tunnel', tunnel)),
    ...asks('underlay', underlay),
  ]
  if (burst === 0 && expected === 'answers')
    return both((lane, tally) => [...smalls(lane, tally), ...fulls(lane, tally)])
  if (burst === 0)
    return both((lane, tally) => smalls(lane, tally, expected === 'nothing' ? SILENT_PROBES : SMALL_PROBES))
  if (burst >= BURSTS) return []
  if (!answers(tunnel ?? underlay)) {
    return burst === 1 && (expected === 'answers' || answers(underlay))
      ? both((lane, tally) => smalls(lane, tally))
      : []
  }
  if (burst === 1 && expected !== 'answers') return both(fulls)
  // One search at a time: what shortens the path underneath shortens the tunnel as well, unless it lets fragments pass.
  if (tunnel !== undefined && shortens(tunnel)) return search('tunnel', tunnel)
  return shortens(underlay) ? search('underlay', underlay) : []
}

/** Whether enough full-size packets were lost, while small ones passed, to say that they don't get there. */
export function losesFullSize(tally: Tally): boolean {
  return shortens(tally) && countOf(tally, tally.full).sent >= CONFIRMED
}

function smalls(lane: Ask['lane'], { small }: Tally, count = SMALL_PROBES): readonly Ask[] {
  return Array.from({ length: count }, (_, step) => ({ lane, length: small, step }))
}

function fulls(lane: Ask['lane'], { small, full }: Tally): readonly Ask[] {
  return full > small ? Array.from({ length: FULL_PROBES }, (_, i) => ({ lane, length: full, step: i * 2 })) : []
}

function search(lane: Ask['lane'], tally: Tally): readonly Ask[] {
  const more = Math.max(0, CONFIRMED - countOf(tally, tally.full).sent)
  const again = Array.from({ length: more }, (_, i) => ({ lane, length: tally.full, step: i % SMALL_PROBES }))
  const rungs = rungsOf(tally).flatMap((length, i) =>
    Array.from({ length: COPIES }, (_, copy) => ({ lane, length, step: ((i % 2) + copy * 2) % SMALL_PROBES })),
  )
  return [...again, ...rungs]
}

/** Sizes to try between the largest that passes and the smallest that fails; none when these are neighbours. */
function rungsOf(tally: Tally): readonly number[] {
  const [from, to] = [passes(tally), fails(tally)]
  const { hint } = tally
  // A size that is known from before, or that a router named, is the one when it passes and the next does not.
  if (hint > from && hint < to) return [hint, hint + 1].filter((length) => length < to)
  const gap = to - from - 1
  const count = Math.min(MTU_STEPS, gap)
  return [
    ...new Set(Array.from({ length: count }, (_, i) => from + Math.ceil(((i + 1) * (gap + 1)) / (count + 1)))),
  ].filter((length) => length > from && length < to)
}
