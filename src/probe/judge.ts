// From what was known of a peer and what its turn showed to how it is doing. Pure.
import type { ProbeEvidence } from './evidence.ts'
import type { Cause, PeerHealth } from './peer-health.ts'
import { noteOf } from './note.ts'
import type { PeerPath } from './path.ts'
import { type Expected, type Tallies, losesFullSize } from './turn-plan.ts'
import { type Tally, answers, countOf, passes, smallOnes } from './tally.ts'

/** What is kept of a peer between its turns. Flat: there may be thousands. */
export interface ProbeHistory extends PeerHealth {
  /** Small packets of the last turns and how many of them were lost, the older counting less. */
  readonly sent: number
  readonly lost: number
  /** Turns in a row without an answer. */
  readonly silentTurns: number
  /** When the first of them began (performance.now); undefined when the last turn had answers. */
  readonly silentFrom: number | undefined
  /** Whether it ever answered, and whether its host ever did outside the tunnel. */
  readonly answered: boolean
  readonly underlayAnswered: boolean
}

/** What is known of a peer before its first turn. */
const NEVER_PROBED: Omit<ProbeHistory, 'since'> = {
  state: 'unknown',
  cause: 'none',
  note: '',
  rttMs: undefined,
  loss: 0,
  pathMtu: undefined,
  sent: 0,
  lost: 0,
  silentTurns: 0,
  silentFrom: undefined,
  answered: false,
  underlayAnswered: false,
}

/** A peer that is taken to have answered once, so that its first silent turn counts: for a command that probes only once. */
export const UNTRIED: ProbeHistory = { ...NEVER_PROBED, state: 'up', since: 0, answered: true, underlayAnswered: true }

/** A turn that has ended. */
export interface Turn {
  readonly path: PeerPath
  readonly tallies: Tallies
  readonly evidence: ProbeEvidence
  /** When it began and ended (performance.now), and the end in milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly at: number
}

/** Loss is counted over the last 40 to 80 packets. */
const WINDOW = 80
/**
 * Degraded from the first on, well again below the second. At 5% loss each way, of 40 packets 16 are lost with a
 * probability of 2e-7 (binomial, p = 0.0975).
 */
const LOSSY = 0.4
const NO_LONGER_LOSSY = 0.25
/** How long what a peer reports counts: a suspected peer is probed each round. Milliseconds. */
const EVIDENCE_MS = 15_000

/** What a state is made of. */
type Verdict = Pick<PeerHealth, 'state' | 'cause' | 'pathMtu'> & { readonly heardBothWays?: boolean }

/** What is to be expected of a peer's next turn, from what is known of it. */
export function expectedOf(known: ProbeHistory | undefined): Expected {
  if (known === undefined || (!known.answered && known.silentTurns < 2)) return 'either'
  const gone = known.state === 'unreachable' && known.cause === 'host-down'
  return gone || (known.state === 'unknown' && known.silentTurns > 0) ? 'nothing' : 'answers'
}

/** Judges a turn; `before` is what the turn before left. */
export function judgeTurn(before: ProbeHistory | undefined, turn: Turn): ProbeHistory {
  return judged(before ?? { ...NEVER_PROBED, since: turn.at }, turn)
}

function judged(before: ProbeHistory, turn: Turn): ProbeHistory {
  const { tallies } = turn
  const main = tallies.tunnel ?? tallies.underlay
  const silent = !answers(main)
  const silentFrom = silent ? (before.silentFrom ?? turn.from) : undefined
  const silentTurns = silent ? before.silentTurns + 1 : 0
  const underlayAnswered = before.underlayAnswered || answers(tallies.underlay)
  const answered = before.answered || !silent
  // What is lost while nothing passes says nothing about how it passes afterwards.
  const { sent, lost } = window(before, silent ? undefined : main)
  const loss = silent ? 1 : lost / Math.max(1, sent)
  const known = { silentFrom: silentFrom ?? 0, silentTurns, answered, underlayAnswered }
  const verdict = silent ? silence(before, turn, known) : passing(before, turn, sent >= WINDOW / 2 ? loss : 0)
  const { state, cause, pathMtu } = verdict
  return {
    state,
    cause,
    note: noteOf(verdict, turn, underlayAnswered),
    rttMs: main.rttMs,
    loss: verdict.heardBothWays === true ? 0 : loss,
    pathMtu,
    since: before.state === state && before.cause === cause ? before.since : turn.at,
    sent,
    lost,
    silentTurns,
    silentFrom,
    answered,
    underlayAnswered,
  }
}

/** Counts of the last turns with those of one more. */
function window(
  before: { readonly sent: number; readonly lost: number },
  main: Tally | undefined,
): { readonly sent: number; readonly lost: number } {
  if (main === undefined) return before
  const { sent, answered } = smallOnes(main)
  const sum = { sent: before.sent + sent, lost: before.lost + sent - answered }
  return sum.sent > WINDOW ? { sent: sum.sent / 2, lost: sum.lost / 2 } : sum
}

/** The verdict when something came back. */
function passing(before: ProbeHistory, { path, tallies }: Turn, loss: number): Verdict {
  const { tunnel, underlay } = tallies
  const main = tunnel ?? underlay
  if (losesFullSize(main)) return { state: 'degraded', cause: 'path-mtu', pathMtu: passes(main) }
  if (loss >= (before.cause === 'loss' ? NO_LONGER_LOSSY : LOSSY)) {
    return { state: 'degraded', cause: 'loss', pathMtu: before.pathMtu }
  }
  // The tunnel's outer packets may be fragmented: all gets there, at a price.
  if (tunnel !== undefined && losesFullSize(underlay)) {
    return { state: 'up', cause: 'path-mtu', pathMtu: passes(underlay) - path.overhead }
  }
  const proven = main.full > 0 && countOf(main, main.full).answered > 0
  return {
    state: 'up',
    cause: 'none',
    pathMtu: proven ? path.mtu : before.cause === 'none' ? before.pathMtu : undefined,
  }
}

/** What silence may mean. */
interface Known {
  readonly silentFrom: number
  readonly silentTurns: number
  readonly answered: boolean
  readonly underlayAnswered: boolean
}

/** The verdict when nothing came back. */
function silence(before: ProbeHistory, turn: Turn, known: Known): Verdict {
  // A peer that never answered may not have heard of us yet: it has one turn more.
  if (!known.answered && known.silentTurns < 2) return { state: 'unknown', cause: 'none', pathMtu: undefined }
  if (turn.tallies.tunnel === undefined) {
    // A host that answers nothing, while no router reports it unreachable, may just have a firewall.
    const absent = known.answered || turn.tallies.underlay.refused === 'unreachable'
    return { state: absent ? 'unreachable' : 'unknown', cause: absent ? 'host-down' : 'none', pathMtu: undefined }
  }
  const { cause, heardBothWays } = blockOf(before, turn, known.silentFrom)
  if (heardBothWays) return { state: 'up', cause: 'none', pathMtu: undefined, heardBothWays }
  return { state: 'unreachable', cause, pathMtu: undefined }
}

/** Which direction is blocked, from what the peer's own probes show since it is silent. */
function blockOf(
  before: ProbeHistory,
  { tallies, evidence, to }: Turn,
  silentFrom: number,
): { readonly cause: Cause; readonly heardBothWays: boolean } {
  const since = Math.max(silentFrom, to - EVIDENCE_MS)
  const after = (at: number | undefined): boolean => at !== undefined && at >= since
  const comesIn = after(evidence.tunnelAt)
  const says = after(evidence.saidAt)
  const hearsUs = says && after(evidence.heardUsAt)
  if (comesIn) return { cause: 'tunnel-blocked-out', heardBothWays: hearsUs }
  if (hearsUs) return { cause: 'tunnel-blocked-in', heardBothWays: false }
  if (says) return { cause: 'tunnel-blocked', heardBothWays: false }
  const blocked = before.cause.startsWith('tunnel-blocked') ? before.cause : 'tunnel-blocked'
  const there = answers(tallies.underlay) || after(evidence.underlayAt)
  return { cause: there ? blocked : 'host-down', heardBothWays: false }
}
