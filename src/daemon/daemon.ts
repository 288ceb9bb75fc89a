// The daemon from its start to its end: it answers questions at once, reads until it has a lease, then runs.
import type { AnyBackend } from '../backend.ts'
import { Conditions } from '../health/conditions.ts'
import { Events } from '../health/events.ts'
import { wireguardKeyFile } from '../host/wireguard-key.ts'
import { serveHealth } from '../http/health-port.ts'
import { controlPath, serveControl } from '../http/control-socket.ts'
import { LiveKernel } from '../kernel/live.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import { controlRoutes, healthPortRoutes } from '../control/routes.ts'
import { Readiness } from '../health/readiness.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { DaemonCell, startingDaemon } from '../view/running-daemon.ts'
import type { DaemonContext } from './context.ts'
import { examineHost } from './examine-host.ts'
import { joinNetwork } from './join.ts'
import { reportFights } from './repair-fight.ts'
import { runLeased } from './run.ts'
import { notifySystemd } from './sd-notify.ts'

/** What the daemon is started with. */
export interface DaemonSetup {
  readonly options: Options
  readonly backends: readonly AnyBackend[]
  readonly version: string
  readonly log: Log
  readonly signal: AbortSignal
  /** As FollowParts has it. */
  readonly holdMs?: number
}

/** Runs until the signal aborts. Rejects with OperatorError for what only the operator can repair. */
export async function runDaemon(setup: DaemonSetup): Promise<void> {
  const context = begin(setup)
  await serve(context)
  const leased = await joinNetwork(context)
  if (leased !== undefined) await runLeased(leased, context, setup.holdMs)
  context.kernel.close()
}

/** What there is before anything is read. */
function begin({ options, backends, version, signal, ...setup }: DaemonSetup): DaemonContext {
  const events = new Events()
  const log = setup.log.part('main')
  log.info(`flanneld ${version}, node ${process.version}`)
  const readiness = new Readiness(['config', 'lease', 'backend', 'subnet.env', 'peers', 'kernel', 'firewall'], log)
  const conditions = new Conditions()
  const wireguard = { keyFile: wireguardKeyFile(), program: options.wireguardGo }
  const kernel = new LiveKernel(undefined, { wireguard })
  const kernelLog = log.part('kernel')
  const reconciler = new Reconciler(
    kernel,
    kernelLog,
    ({ failing, fights }) => {
      reportFights(fights, conditions, events, kernelLog)
      if (failing === 0) readiness.good('kernel')
      else readiness.bad('kernel', 'kernel-refused', `${failing} changes refused`)
    },
    events,
  )
  // Faults of what only observes go to the log alone: the events may be what failed.
  const starting = startingDaemon({ version, options, readiness, reconciler, events, conditions }, setup.log)
  return { cell: new DaemonCell(starting), ...starting, kernel, backends, log, signal }
}

/** Serves requests from the first moment on, and notifies systemd. */
async function serve(context: DaemonContext): Promise<void> {
  const { cell, options, readiness, health, reconciler, kernel, supervisor, log, signal } = context
  notifySystemd({ readiness, health, busy: () => reconciler.busyFor }, supervisor.part('systemd'), signal)
  examineHost({ current: cell.current, kernel, signal })
  const { healthzIp: ip, healthzPort: port, healthzAllowedHosts: allowedHosts } = options
  if (port > 0)
    await serveHealth({ ip, port, allowedHosts }, healthPortRoutes(cell.current), log.part('health'), signal)
  await serveControl(controlPath(options.subnetFile), controlRoutes(cell.current), log.part('control'), signal)
}
