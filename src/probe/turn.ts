// One peer's turn: sends burst after burst and collects what comes back.
// Invariant: it ends, at the latest BURSTS times BURST_MS after its last packet; nothing of it waits afterwards.
import { pause } from '../etcd/wait.ts'
import type { Mark } from './icmp.ts'
import type { Lane, PeerPath } from './path.ts'
import type { Pinger } from './pinger.ts'
import { type Ask, STEP_MS, type Tallies, nextAsks } from './plan.ts'
import { asked, emptyTally, learned } from './tally.ts'

/** How long the answers to a burst are awaited at most, and at least. Milliseconds. */
const BURST_MS = 1000
const LEAST_MS = 700
/** Once a round-trip time is known, so many of them are enough. */
const TIMES = 4

/** What a turn works with. */
export interface TurnParts {
  readonly path: PeerPath
  /** Bytes that passed in an earlier turn when the full size did not, 0 for none. */
  readonly hint: number
  readonly pinger: Pick<Pinger, 'ask' | 'forget' | 'drained'>
  /** What our packets say, asked anew for each; undefined when the peer is not to be probed any more. */
  readonly mark: () => Omit<Mark, 'token'> | undefined
  readonly signal: AbortSignal
}

/** Takes the turn; undefined when it was broken off. Never rejects. */
export async function takeTurn({ path, hint, pinger, mark, signal }: TurnParts): Promise<Tallies | undefined> {
  let tallies: Tallies = {
    tunnel: path.tunnel && emptyTally(path.tunnel.full, hint),
    underlay: emptyTally(path.underlay.full, hint === 0 ? 0 : hint + path.overhead),
  }
  const change = (lane: Ask['lane'], by: (tally: Tallies['underlay']) => Tallies['underlay']): void => {
    const tally = tallies[lane]
    if (tally !== undefined) tallies = { ...tallies, [lane]: by(tally) }
  }
  const lanes: Readonly<Record<Ask['lane'], Lane | undefined>> = { tunnel: path.tunnel, underlay: path.underlay }
  /** All requests, and those of the burst at hand that are not answered yet. */
  const requests = new Set<number>()
  const waiting = new Set<number>()
  let answered: () => void = () => undefined

  const send = (ask: Ask): boolean => {
    const [lane, says] = [lanes[ask.lane], mark()]
    if (lane === undefined || says === undefined) return false
    change(ask.lane, (tally) => asked(tally, ask.length))
    const { source, destination } = lane
    const sequence = pinger.ask({ source, destination, length: ask.length, df: true, mark: says }, (outcome) => {
      change(ask.lane, (tally) => learned(tally, ask.length, outcome))
      if (outcome.kind === 'answered') waiting.delete(sequence)
      if (waiting.size === 0) answered()
    })
    requests.add(sequence)
    waiting.add(sequence)
    return true
  }

  try {
    for (let burst = 0; ; burst++) {
      const asks = nextAsks(tallies, burst)
      if (asks.length === 0) return tallies
      // Answers to earlier bursts still count, but are not waited for.
      waiting.clear()
      const steps = Math.max(...asks.map((ask) => ask.step))
      for (let step = 0; step <= steps; step++) {
        if (step > 0) await pause(STEP_MS, signal)
        if (signal.aborted) return undefined
        for (const ask of asks) if (ask.step === step && !send(ask)) return undefined
      }
      if (waiting.size > 0) {
        const enough = new AbortController()
        answered = () => enough.abort()
        await pause(waitOf(tallies), AbortSignal.any([signal, enough.signal]))
      }
      if (signal.aborted) return undefined
      await pinger.drained()
    }
  } finally {
    pinger.forget(requests)
  }
}

function waitOf({ tunnel, underlay }: Tallies): number {
  const rtt = Math.max(tunnel?.rttMs ?? 0, underlay.rttMs ?? 0)
  return rtt === 0 ? BURST_MS : Math.min(BURST_MS, Math.max(LEAST_MS, rtt * TIMES))
}
