// Begins to probe the peers.
import type { Log } from '../log.ts'
import type { Overlay } from '../overlay/overlay.ts'
import { Prober } from '../probe/prober.ts'
import type { RunningDaemon } from '../view/running-daemon.ts'

/** Begins to probe the peers, once there is an overlay. */
export function startProber(daemon: RunningDaemon, overlay: Overlay, log: Log, signal: AbortSignal): void {
  const { reconciler, readiness, events, options } = daemon
  const interval = options.probeInterval
  const part = daemon.supervisor.part('probe')
  const prober = new Prober({ overlay, reconciler, readiness, events, log: log.part('probe'), interval, part, signal })
  daemon.prober = prober
  void part.keep(() => prober.run(), signal)
}
