// The health port: /healthz (the loop turns) and /readyz (the verdict is not broken), as plain text over HTTP; /metrics and
// the page are added to its routes by others. Status and first line are those of Go's flanneld, byte for byte.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { ListenOptions } from 'node:net'
import { OperatorError, messageOf } from '../errors.ts'
import { type Answer, type Handler, type Routes, serveRoutes } from './serve-routes.ts'
import { boundedServer, crowdIn } from './bounds.ts'
import { hostRule, latestNames } from './hosts.ts'
import type { Log } from '../log.ts'

/** A pass of the reconciler that takes longer than this many milliseconds hangs. */
export const HANG_MS = 30_000

/** What load balancers ask, by whatever name they have for us. */
const OPEN = ['/healthz', '/readyz']

/** What /healthz asks: for how long the pass at hand has been running, in milliseconds; 0 between passes. */
export type PassTime = () => number

/** What /readyz says; `lines` follow where this host is not ready. */
export interface Ready {
  readonly ready: boolean
  readonly lines: readonly string[]
}

/** The routes of the health port; more may be added. */
export function healthRoutes(ready: () => Ready, busy: PassTime): Routes {
  return new Map<string, Handler>([
    ['GET /healthz', () => alive(busy())],
    ['GET /readyz', () => readiness(ready())],
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
  try {
    await listen(server, at)
  } catch (error) {
    throw new OperatorError(`-healthz-port: ${at.ip}:${at.port}: cannot listen: ${messageOf(error)}`)
  }
  signal.addEventListener('abort', () => {
    server.close()
    server.closeAllConnections()
  })
  log.info(`health: http://${at.ip}:${at.port}/healthz, /readyz and /metrics`)
}

/**
 * As Go listens: the unspecified address means all addresses of both families, whichever family's it is. IPv4 alone where both
 * are not to be had: a kernel without IPv6, or another program that has the port of IPv6 only.
 */
async function listen(server: Server, { ip, port }: { readonly ip: string; readonly port: number }): Promise<void> {
  if (ip !== '0.0.0.0' && ip !== '::') return listenOn(server, { host: ip, port })
  try {
    await listenOn(server, { host: '::', port, ipv6Only: false })
  } catch (error) {
    await listenOn(server, { host: '0.0.0.0', port }).catch(() => Promise.reject(error as Error))
  }
}

async function listenOn(server: Server, where: ListenOptions): Promise<void> {
  server.listen(where)
  await once(server, 'listening')
}

function alive(ms: number): Answer {
  if (ms <= HANG_MS) return { status: 200, text: 'flanneld is running' }
  return { status: 503, text: `the reconciler has been in one pass for ${Math.round(ms / 1000)} s\n` }
}

/** Go says no more than the first line. */
function readiness({ ready, lines }: Ready): Answer {
  if (ready) return { status: 200, text: 'flanneld is ready' }
  return { status: 503, text: `flanneld is not ready yet\n${lines.join('\n')}\n` }
}
