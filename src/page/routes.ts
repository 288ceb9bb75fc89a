// The page at / of the health port: its files, and what it shows, read only.
// Invariant: nothing is loaded from elsewhere, and no text of a lease runs as HTML or script (the content security policy).
import { shared } from '../http/handlers.ts'
import type { Routes } from '../http/serve-routes.ts'
import type { CurrentDaemon } from '../view/running-daemon.ts'
import { pageFiles } from './files.ts'
import { Live } from './live.ts'
import { Gathering } from './state.ts'

/** What a browser may load for the page: style, script and events from its own origin, nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The same table, with the page if -healthz-page is set. */
export function withPage(current: CurrentDaemon, routes: Routes): Routes {
  const { options, supervisor } = current()
  if (!options.healthzPage) return routes
  const { html, css, script } = pageFiles()
  const gathering = new Gathering(current)
  const part = supervisor.part('page')
  const live = new Live(gathering, part)
  const files = [
    ['/', html, 'text/html'],
    ['/page.css', css, 'text/css'],
    ['/page.js', script, 'text/javascript'],
  ] as const
  for (const [path, text, type] of files) {
    const headers = { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }
    const answer = { status: 200, text, type: `${type}; charset=utf-8`, headers }
    routes.set(`GET ${path}`, () => answer)
  }
  const state = shared(async () => ({ status: 200, json: await gathering.settled() }))
  routes.set('GET /api/state', state)
  routes.set('GET /api/live', () => ({ events: part.guard((send, gone) => live.join(send, gone)) }))
  return routes
}
