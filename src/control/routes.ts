// The daemon's HTTP routes: those of the health port and those of the control socket.
import { doctorHandler } from '../doctor/daemon-facts.ts'
import { OperatorError } from '../errors.ts'
import type { Events } from '../health/events.ts'
import { shared } from '../http/handlers.ts'
import { type Ready, healthRoutes } from '../http/health-port.ts'
import type { Answer, Handler, Routes } from '../http/serve-routes.ts'
import { metricsRoute } from '../metrics/exposition.ts'
import { withPage } from '../page/routes.ts'
import { peersOf } from '../view/peers.ts'
import type { CurrentDaemon } from '../view/running-daemon.ts'
import type { HealthReport, StatusAnswer } from '../view/health.ts'
import { statusOf } from '../view/status.ts'
import { leaseContextOf, leaseRoutes } from './lease-routes.ts'
import { observed } from './observed-routes.ts'
import { probeRoutes } from './path-route.ts'

/** The routes of the health port. */
export function healthPortRoutes(current: CurrentDaemon): Routes {
  const { health, reconciler, supervisor } = current()
  const routes = healthRoutes(
    () => readyOf(health.latest),
    () => reconciler.busyFor,
  )
  return observed(withPage(current, routes.set('GET /metrics', metricsRoute(current))), supervisor)
}

/** The routes of the control socket. */
export function controlRoutes(current: CurrentDaemon): Routes {
  const { events, supervisor } = current()
  const routes = new Map<string, Handler>([
    ['GET /v1/status', shared(async () => ({ status: 200, json: await statusAnswer(current) }))],
    ['GET /v1/doctor', doctorHandler(current)],
    ['GET /v1/peers', shared(() => ({ status: 200, json: peersOf(current()) }))],
    ['GET /metrics', metricsRoute(current)],
    ...leaseRoutes(() => leaseContextOf(current())),
    ...probeRoutes(current),
    ['GET /v1/events', ({ query }) => answerEvents(events, query)],
  ])
  return observed(routes, supervisor)
}

/** The status with its verdict, by an examination that began after the request. */
async function statusAnswer(current: CurrentDaemon): Promise<StatusAnswer> {
  const { health } = current()
  const { status, verdict } = await health.fresh(0)
  return { ...(status ?? (await statusOf(current()))), verdict }
}

/** What /readyz says: not ready exactly where the verdict is broken. */
function readyOf({ verdict: { word }, lines }: HealthReport): Ready {
  return { ready: word !== 'broken', lines: [word, ...lines] }
}

/**
 * The events kept, those after ?since=ID only, and then each as it happens; with ?follow=false only the former, as an
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
