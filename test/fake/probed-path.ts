// A path between two hosts as probes meet it, without hosts: what it loses, what it blocks, how large a packet it takes.
import type { ProbeEvidence } from '../../src/probe/evidence.ts'
import { type ProbeHistory, type Turn, expectedOf, judgeTurn } from '../../src/probe/judge.ts'
import { SMALLEST } from '../../src/probe/icmp.ts'
import type { PeerPath } from '../../src/probe/path.ts'
import { type Ask, type Expected, type Tallies, nextAsks } from '../../src/probe/turn-plan.ts'
import { type Tally, asked, emptyTally, learned } from '../../src/probe/tally.ts'
import type { Address } from '../../src/ip/address.ts'

/** What becomes of packets on one lane. */
export interface LaneState {
  /** Whether anything passes; true when absent. */
  readonly open?: boolean
  /** Bytes that pass; everything when absent. */
  readonly mtu?: number
}

/** A world for one turn. */
export interface PathState {
  readonly tunnel?: LaneState
  readonly underlay?: LaneState
  /** The probability that an echo is not answered. */
  readonly loss?: number
  /** 0 to 1, as Math.random. */
  readonly random?: () => number
  readonly evidence?: Partial<ProbeEvidence>
  /** Says that the host is not there. */
  readonly refused?: boolean
}

const source = '10.2.1.0' as Address

/** A path through a tunnel. */
export const TUNNEL: PeerPath = {
  via: 'tunnel',
  tunnel: { source, destination: '10.2.2.0' as Address, full: 1450 },
  underlay: { source, destination: '192.168.19.122' as Address, full: 1500 },
  mtu: 1450,
  outer: 'udp 8472',
  overhead: 50,
  onLink: undefined,
  needs: [],
}

/** A plain route. */
export const DIRECT: PeerPath = { ...TUNNEL, via: 'direct', tunnel: undefined, mtu: 1500, outer: '', overhead: 0 }

export const NOTHING: ProbeEvidence = {
  tunnelAt: undefined,
  underlayAt: undefined,
  saidAt: undefined,
  heardUsAt: undefined,
}

/** One turn in a world: what it found, and the packets of each burst. */
export function runTurn(
  path: PeerPath,
  world: PathState,
  hint = 0,
  expected: Expected = 'answers',
): { readonly tallies: Tallies; readonly bursts: readonly (readonly Ask[])[] } {
  let tallies: Tallies = {
    tunnel: path.tunnel && emptyTally(SMALLEST[4], path.tunnel.full, hint),
    underlay: emptyTally(SMALLEST[4], path.underlay.full, hint === 0 ? 0 : hint + path.overhead),
  }
  const bursts: (readonly Ask[])[] = []
  for (let burst = 0; ; burst++) {
    const asks = nextAsks(tallies, burst, expected)
    if (asks.length === 0) return { tallies, bursts }
    bursts.push(asks)
    for (const { lane, length } of asks) tallies = { ...tallies, [lane]: afterAsk(tallies, world, lane, length) }
  }
}

/** The tally of a lane after one packet of this length. */
function afterAsk(tallies: Tallies, state: PathState, lane: Ask['lane'], length: number): Tally {
  const before = tallies[lane]
  if (before === undefined) throw new Error(`a packet for the ${lane}, which does not exist`)
  const { open = true, mtu = Infinity } = state[lane] ?? {}
  const answered = open && length <= mtu && (state.random?.() ?? 1) >= (state.loss ?? 0)
  const sent = asked(before, length)
  if (answered) return learned(sent, length, { kind: 'answered', rttMs: 1 })
  return state.refused === true ? learned(sent, length, { kind: 'refused', why: 'unreachable' }) : sent
}

/** Turns five seconds apart, one per world: what is known of the peer after each. */
export function judgeTurns(path: PeerPath, worlds: readonly PathState[]): readonly ProbeHistory[] {
  const found: ProbeHistory[] = []
  for (const [i, world] of worlds.entries()) {
    const before = found.at(-1)
    const hint = before?.cause === 'path-mtu' ? (before.pathMtu ?? 0) : 0
    const from = i * 5000
    const turn: Turn = {
      path,
      tallies: runTurn(path, world, hint, expectedOf(before)).tallies,
      from,
      to: from + 2000,
      at: 1_000_000 + from,
      evidence: { ...NOTHING, ...world.evidence },
    }
    found.push(judgeTurn(before, turn))
  }
  return found
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
