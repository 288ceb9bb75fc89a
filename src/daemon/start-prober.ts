// Starts probing the peers.
import type { Sessions } from '../overlay/sessions.ts'
import { Prober } from '../probe/prober.ts'
import type { DaemonContext } from './context.ts'

/** A prober at work until the signal aborts. */
export function startProber(sessions: Sessions, context: DaemonContext): Prober {
  const { reconciler, kernel, readiness, events, options, supervisor, log, signal } = context
  const interval = options.probeInterval
  const part = supervisor.part('probe')
  const prober = new Prober({
    sessions,
    reconciler,
    kernel,
    readiness,
    events,
    log: log.part('probe'),
    interval,
    part,
    signal,
  })
  void part.keep(() => prober.run(), signal)
  return prober
}
