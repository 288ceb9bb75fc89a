// The health port: /healthz (the loop turns) and /readyz (this host carries traffic), as plain text over HTTP; /metrics and
// the page are added to its routes by others.
import { OperatorError, messageOf } from './errors.ts'
import { type Answer, type Handler, type Routes, serveRoutes } from './http.ts'
import { boundedServer, crowdIn } from './http-bounds.ts'
import { hostRule, latestNames } from './http-hosts.ts'
import type { Log } from './log.ts'
import type { Readiness } from './readiness.ts'

/** A pass of the reconciler that takes longer than this many milliseconds hangs. */
export const HANG_MS = 30_000

/** What load balancers ask, by whatever name they have for us. */
const OPEN = ['/healthz', '/readyz']

/** What /healthz asks: for how long the pass at hand has been running, in milliseconds; 0 between passes. */
export type Busy = () => number

/** The routes of the health port; more may be added. */
export function healthRoutes(readiness: Readiness, busy: Busy): Routes {
  return new Map<string, Handler>([
    ['GET /healthz', () => alive(busy())],
    ['GET /readyz', () => (readiness.ready ? text(200, 'ready') : text(503, readiness.reasons.join('\n')))],
  ])
}

/** Listens until the signal aborts. Rejects with OperatorError when the address cannot be had. */
export async function serveHealth(
  at: { readonly ip: string; readonly port: number; readonly allowedHosts?: readonly string[] },
  routes: Routes,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const hosts = hostRule(latestNames(), at.allowedHosts ?? [])
  const server = boundedServer(serveRoutes(routes, { hosts, open: OPEN }), { crowded: crowdIn(log, 'health') })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new OperatorError(`-healthz-port: ${at.ip}:${at.port}: cannot listen: ${messageOf(error)}`)),
    )
    server.listen(at.port, at.ip, resolve)
  })
  signal.addEventListener('abort', () => {
    server.close()
    server.closeAllConnections()
  })
  log.info(`health: http://${at.ip}:${at.port}/healthz, /readyz and /metrics`)
}

function alive(ms: number): Answer {
  if (ms <= HANG_MS) return text(200, 'flanneld is running')
  return text(503, `the reconciler has been in one pass for ${Math.round(ms / 1000)} s`)
}

function text(status: number, line: string): Answer {
  return { status, text: `${line}\n` }
}
