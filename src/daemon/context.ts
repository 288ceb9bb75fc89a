// What every part of the daemon's start works with.
import type { AnyBackend } from '../backend.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Log } from '../log.ts'
import type { DaemonBase, DaemonCell } from '../view/running-daemon.ts'

/** What there is from the first moment to the last. */
export interface DaemonContext extends DaemonBase {
  readonly cell: DaemonCell
  readonly kernel: LiveKernel
  readonly backends: readonly AnyBackend[]
  readonly log: Log
  readonly signal: AbortSignal
}
