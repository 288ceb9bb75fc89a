// Looks at the peers of WireGuard devices all the time: neither the kernel nor a program reports that one was changed.
// Invariant: looking takes at most a quarter of a percent of one core; what many peers cost is spread out.
import { pause } from '../async/wait.ts'
import { KernelError } from '../errors.ts'
import type { Drift } from './kernel.ts'
import type { LiveKernel } from './live.ts'

/** Between two looks at few peers. Milliseconds. */
const LOOK_MS = 400
/** So many times the processor time of a look passes until the next one. */
const SPREAD = 400
/** At most: the audit looks that often by default. */
const MOST_MS = 10_000

/** What is looked at. */
export interface WatchedPeers {
  readonly kernel: Pick<LiveKernel, 'fingerprint'>
  /** The names of our WireGuard devices. */
  readonly devices: () => readonly string[]
  readonly onDrift: (drift: Drift) => void
}

/** Looks until the signal aborts. */
export async function watchPeers({ kernel, devices, onDrift }: WatchedPeers, signal: AbortSignal): Promise<void> {
  let before: number | undefined
  let cost = 0
  for (;;) {
    await pause(Math.min(Math.max(LOOK_MS, cost * SPREAD), MOST_MS), signal)
    if (signal.aborted) return
    const names = devices()
    if (names.length === 0) {
      before = undefined
      continue
    }
    const began = process.cpuUsage()
    try {
      const now = await kernel.fingerprint('wireguard-peer', names)
      if (before !== undefined && now !== before) onDrift({ type: 'drift', kind: 'wireguard-peer', what: names.join() })
      before = now
    } catch (error) {
      // What the kernel does not answer, the audit meets as well, and says.
      if (!(error instanceof KernelError)) throw error
    }
    const { user, system } = process.cpuUsage(began)
    cost = (user + system) / 1000
  }
}
