// One peer's turn: sends burst after burst and collects what comes back.
// Invariant: it ends, at the latest BURSTS times BURST_MS after its last packet; nothing of it waits afterwards.
import { familyOf } from '../ip/address.ts'
import type { Mark } from './echo.ts'
import { SMALLEST } from './icmp.ts'
import type { Lane, PeerPath } from './path.ts'
import type { Pinger } from './pinger.ts'
import { type Ask, type Expected, STEP_MS, type Tallies, nextAsks } from './turn-plan.ts'
import { type Tally, asked, emptyTally, learned } from './tally.ts'

/** How long the answers to a burst are awaited at most, and at least. Milliseconds. */
const BURST_MS = 1000
const LEAST_MS = 700
/** Once a round-trip time is known, this many of them are enough. */
const RTTS_TO_WAIT = 4

/** What a turn works with. */
export interface TurnParts {
  readonly path: PeerPath
  /** Bytes that passed in an earlier turn when the full size did not, 0 for none. */
  readonly hint: number
  readonly expected: Expected
  readonly pinger: Pick<Pinger, 'ask' | 'forget' | 'drained'>
  /** What our packets say, asked again for each; undefined when the peer is not to be probed any more. */
  readonly mark: () => Omit<Mark, 'token'> | undefined
  readonly signal: AbortSignal
}

/** Takes the turn; undefined when it was aborted. Never rejects. */
export async function takeTurn(parts: TurnParts): Promise<Tallies | undefined> {
  const { path, hint, expected, pinger, mark, signal } = parts
  let tallies: Tallies = {
    tunnel: path.tunnel && tallyOf(path.tunnel, hint),
    underlay: tallyOf(path.underlay, hint === 0 ? 0 : hint + path.overhead),
  }
  const change = (lane: Ask['lane'], by: (tally: Tallies['underlay']) => Tallies['underlay']): void => {
    const tally = tallies[lane]
    if (tally !== undefined) tallies = { ...tallies, [lane]: by(tally) }
  }
  const lanes: Readonly<Record<Ask['lane'], Lane | undefined>> = { tunnel: path.tunnel, underlay: path.underlay }
  /** All requests, and those of the burst at hand that are not answered yet. */
  const requests = new Set<number>()
  const waiting = new Set<number>()
  const sleep = new Sleep()
  let allSent = false

  const send = (ask: Ask): boolean => {
    const [lane, says] = [lanes[ask.lane], mark()]
    if (lane === undefined || says === undefined) return false
    change(ask.lane, (tally) => asked(tally, ask.length))
    const { source, destination } = lane
    const sequence = pinger.ask({ source, destination, length: ask.length, df: true, mark: says }, (outcome) => {
      change(ask.lane, (tally) => learned(tally, ask.length, outcome))
      if (outcome.kind === 'answered') waiting.delete(sequence)
      if (allSent && waiting.size === 0) sleep.end()
    })
    requests.add(sequence)
    waiting.add(sequence)
    return true
  }

  const aborted = (): void => {
    sleep.end()
  }
  signal.addEventListener('abort', aborted, { once: true })
  try {
    for (let burst = 0; ; burst++) {
      const asks = nextAsks(tallies, burst, expected)
      if (asks.length === 0) return tallies
      // Answers to earlier bursts still count, but are not waited for.
      waiting.clear()
      allSent = false
      const steps = Math.max(...asks.map((ask) => ask.step))
      for (let step = 0; step <= steps; step++) {
        if (step > 0 && !signal.aborted) await sleep.for(STEP_MS)
        if (signal.aborted) return undefined
        for (const ask of asks) if (ask.step === step && !send(ask)) return undefined
      }
      allSent = true
      if (waiting.size > 0) await sleep.for(waitOf(tallies))
      if (signal.aborted) return undefined
      if (waiting.size > 0) await pinger.drained()
    }
  } finally {
    signal.removeEventListener('abort', aborted)
    pinger.forget(requests)
  }
}

function tallyOf({ source, full }: Lane, hint: number): Tally {
  return emptyTally(SMALLEST[familyOf(source)], full, hint)
}

/** A pause that can be ended. Turns have several a second: an AbortSignal for each cost more than the packets. */
class Sleep {
  #timer: NodeJS.Timeout | undefined
  #resolve: () => void = () => undefined

  for(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#timer = setTimeout(resolve, milliseconds)
    })
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#resolve()
  }
}

function waitOf({ tunnel, underlay }: Tallies): number {
  const rtt = Math.max(tunnel?.rttMs ?? 0, underlay.rttMs ?? 0)
  return rtt === 0 ? BURST_MS : Math.min(BURST_MS, Math.max(LEAST_MS, rtt * RTTS_TO_WAIT))
}
