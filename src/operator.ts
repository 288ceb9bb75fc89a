// The operator's side of a running daemon: what may be seen of it, and the routes by which it is asked.
import { Conditions } from './conditions.ts'
import { observed } from './observed-routes.ts'
import { Supervisor } from './supervise.ts'
import type { Events } from './events.ts'
import type { Guard } from './firewall/guard.ts'
import type { Firewall } from './firewall/firewall.ts'
import type { Store } from './etcd/store.ts'
import { OperatorError } from './errors.ts'
import { healthRoutes } from './health.ts'
import { shared } from './http-handlers.ts'
import type { Answer, Handler, Routes } from './http.ts'
import { groundOf, leaseRoutes } from './lease-routes.ts'
import { LeaseCensus } from './lease/census.ts'
import type { LeaseKeeper } from './lease/keep.ts'
import { doctorHandler } from './doctor/daemon-facts.ts'
import { EtcdTally } from './metrics/etcd-tally.ts'
import { metricsRoute } from './metrics/exposition.ts'
import type { Log } from './log.ts'
import type { Options } from './options/type.ts'
import type { Overlay } from './overlay.ts'
import { Prober } from './probe/prober.ts'
import { probeRoutes } from './probe/routes.ts'
import type { Readiness } from './readiness.ts'
import type { Reconciler } from './reconcile/reconciler.ts'
import { withPage } from './page/routes.ts'
import { peersOf } from './peer-view.ts'
import type { Host } from './startup.ts'
import { statusOf } from './status.ts'

/** What can be seen of the daemon; what comes later in the start is undefined until then. */
export interface Sight {
  readonly version: string
  /** When it started; milliseconds since 1970. */
  readonly since: number
  readonly options: Options
  readonly readiness: Readiness
  readonly reconciler: Reconciler
  readonly events: Events
  /** What holds of this host until it is over. */
  readonly conditions: Conditions
  /** What goes wrong in the parts that only look on. */
  readonly supervisor: Supervisor
  /** How etcd answers: counts of its calls, whether the watch is alive and how far it has come. */
  readonly etcd: EtcdTally
  /** The leases in numbers. */
  readonly census: LeaseCensus
  /** This host as found at the start. */
  host: Host | undefined
  store: Store | undefined
  keeper: LeaseKeeper | undefined
  /** When our lease was last renewed and when it ends without another renewal; undefined: not told, or never. */
  renewal: { readonly at: number; readonly expires: number | undefined } | undefined
  overlay: Overlay | undefined
  guard: Guard | undefined
  firewall: Firewall | undefined
  prober: Prober | undefined
}

/** What can be seen at the very start. */
export function firstSight(
  known: Pick<Sight, 'version' | 'options' | 'readiness' | 'reconciler' | 'events'>,
  log: Log,
): Sight {
  const { readiness, events } = known
  const conditions = new Conditions()
  const supervisor = new Supervisor(conditions, log)
  events.onFault(supervisor.part('events').failed)
  readiness.onChange((ready) =>
    events.happened('ready', ready ? 'ready' : `not ready: ${readiness.reasons.join('; ')}`, { bad: !ready }),
  )
  return {
    ...known,
    ...{ conditions, supervisor },
    ...{ since: Date.now(), etcd: new EtcdTally(), census: new LeaseCensus(), host: undefined, store: undefined },
    ...{ keeper: undefined, renewal: undefined, overlay: undefined, guard: undefined, firewall: undefined },
    prober: undefined,
  }
}

/** Begins to probe the peers, once there is an overlay. */
export function startProber(sight: Sight, overlay: Overlay, log: Log, signal: AbortSignal): void {
  const { reconciler, readiness, events, options } = sight
  const interval = options.probeInterval
  const part = sight.supervisor.part('probe')
  const prober = new Prober({ overlay, reconciler, readiness, events, log: log.part('probe'), interval, part, signal })
  sight.prober = prober
  void part.keep(() => prober.run(), signal)
}

/** The routes of the health port. */
export function healthPortRoutes(sight: Sight): Routes {
  const routes = healthRoutes(sight.readiness, () => sight.reconciler.busyFor)
  return observed(withPage(sight, routes.set('GET /metrics', metricsRoute(sight))), sight.supervisor)
}

/** The routes of the control socket. */
export function controlRoutes(sight: Sight): Routes {
  const routes = new Map<string, Handler>([
    ['GET /v1/status', shared(async () => ({ status: 200, json: await statusOf(sight) }))],
    ['GET /v1/doctor', doctorHandler(sight)],
    ['GET /v1/peers', shared(() => ({ status: 200, json: peersOf(sight) }))],
    ['GET /metrics', metricsRoute(sight)],
    ...leaseRoutes(() => groundOf(sight)),
    ...probeRoutes(sight),
    ['GET /v1/events', ({ query }) => answerEvents(sight.events, query)],
  ])
  return observed(routes, sight.supervisor)
}

/**
 * The events kept, those after ?since=ID only, and then each as it happens; with ?follow=false the former alone, as an
 * array. An ID of another daemon's life, larger than any of ours, leaves none out.
 */
function answerEvents(events: Events, query: URLSearchParams): Answer {
  const since = Number(query.get('since') ?? 0)
  if (!Number.isSafeInteger(since) || since < 0)
    throw new OperatorError(`since: ${query.get('since')}: not an event's id`)
  const { recent } = events
  const known = since > (recent.at(-1)?.id ?? 0) ? recent : recent.filter(({ id }) => id > since)
  if (query.get('follow') === 'false') return { status: 200, json: known }
  return {
    events(send, gone) {
      for (const event of known) send(event)
      events.follow(send, gone)
    },
  }
}
