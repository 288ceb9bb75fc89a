// One trial of the direct way to a peer: packets with addresses of the overlay, sent past the routes to the peer's host itself. Its
// answers come back by whatever way it sends to us. Invariant: it ends, and nothing of it waits afterwards.
import { pause } from '../async/wait.ts'
import type { Mark } from './echo.ts'
import type { FrameTarget, Frames } from './frames.ts'
import { SMALLEST } from './icmp.ts'
import type { Lane } from './path.ts'
import type { Pinger } from './pinger.ts'
import type { Count } from './tally.ts'
import { STEP_MS } from './turn-plan.ts'
import { familyOf } from '../ip/address.ts'

/** What a trial works with. */
export interface TrialParts {
  /** The packets' ends, as containers' packets have them, and their size. */
  readonly lane: Lane
  readonly target: FrameTarget
  readonly frames: Pick<Frames, 'send'>
  readonly pinger: Pick<Pinger, 'ask' | 'forget' | 'drained'>
  readonly mark: Omit<Mark, 'token'>
  readonly signal: AbortSignal
}

/** What came of it. */
export interface TrialResult {
  readonly small: Count
  readonly full: Count
}

const SMALL_PACKETS = 4
const FULL_PACKETS = 2
/** After the last packet. Milliseconds; it is one link. */
const WAIT_MS = 700

/** Makes it. Never rejects. */
export async function makeTrial({ lane, target, frames, pinger, mark, signal }: TrialParts): Promise<TrialResult> {
  const { source, destination, full } = lane
  const counts = { small: { sent: 0, answered: 0 }, full: { sent: 0, answered: 0 } }
  const requests: number[] = []
  const ask = (size: 'small' | 'full'): void => {
    const length = size === 'full' ? full : SMALLEST[familyOf(source)]
    const question = { source, destination, length, df: true, mark: { ...mark, trial: true } }
    counts[size].sent++
    const sequence = pinger.ask(
      question,
      (outcome) => {
        if (outcome.kind === 'answered') counts[size].answered++
      },
      (packet) => frames.send(packet, destination, target),
    )
    requests.push(sequence)
  }
  for (let step = 0; step < SMALL_PACKETS && !signal.aborted; step++) {
    if (step > 0) await pause(STEP_MS, signal)
    ask('small')
    if (step < FULL_PACKETS) ask('full')
  }
  await pause(WAIT_MS, signal)
  await pinger.drained()
  pinger.forget(requests)
  return counts
}
