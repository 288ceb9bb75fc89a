// The health port: /healthz (the loop turns) and /readyz (this host carries traffic), as plain text over HTTP.
import { createServer } from 'node:http'
import { OperatorError, messageOf } from './errors.ts'
import type { Log } from './log.ts'
import type { Readiness } from './readiness.ts'

/** A pass of the reconciler that takes longer than this many milliseconds hangs. */
export const HANG_MS = 30_000

/** What /healthz asks: for how long the pass at hand has been running, in milliseconds; 0 between passes. */
export type Busy = () => number

/** Listens until the signal aborts. Rejects with OperatorError when the address cannot be had. */
export async function serveHealth(
  at: { readonly ip: string; readonly port: number },
  readiness: Readiness,
  busy: Busy,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const server = createServer((request, response) => {
    const { status, text } = answer(request.url ?? '/', readiness, busy)
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    response.end(`${text}\n`)
  })
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
  log.info(`health: http://${at.ip}:${at.port}/healthz and /readyz`)
}

function answer(url: string, readiness: Readiness, busy: Busy): { status: number; text: string } {
  const path = url.split('?')[0]
  if (path === '/healthz') {
    const ms = busy()
    return ms > HANG_MS
      ? { status: 503, text: `the reconciler has been in one pass for ${Math.round(ms / 1000)} s` }
      : { status: 200, text: 'flanneld is running' }
  }
  if (path === '/readyz') {
    return readiness.ready ? { status: 200, text: 'ready' } : { status: 503, text: readiness.reasons.join('\n') }
  }
  return { status: 404, text: 'there is /healthz and /readyz' }
}
