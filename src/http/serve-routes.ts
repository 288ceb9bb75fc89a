// Answering HTTP by a table of routes: JSON or text at once, or a stream of server-sent events. The control socket and the
// health port are two tables over the same handlers.
import { type IncomingMessage, type RequestListener, STATUS_CODES, type ServerResponse } from 'node:http'
import { OperatorError, messageOf, show } from '../errors.ts'
import { LONGEST } from '../async/wait.ts'
import { askerOf, byShare } from './askers.ts'
import { Busy, bodyOf } from './body.ts'
import { type HostRule, type RequestTarget, isPagesRequest, nameIn, requestTarget } from './hosts.ts'
import { Unread } from './unread.ts'

/** A request: what follows the path's `?`, and the body read as JSON (undefined when there is none). */
export interface Asked {
  readonly query: URLSearchParams
  readonly body: unknown
}

/** An answer at once. */
type Said =
  | { readonly status: number; readonly json: unknown }
  | {
      readonly status: number
      readonly text: string
      readonly type?: string
      readonly headers?: Readonly<Record<string, string>>
    }

/**
 * An answer; `events` is called once with what sends, and a signal that aborts when the asker has gone. The same object as an
 * answer or event of several askers is written out once for all.
 */
export type Answer = Said | { readonly events: (send: (event: object) => void, gone: AbortSignal) => void }

/** A handler. What it throws is answered: 400 for an OperatorError, 503 for Busy, else 500. */
export type Handler = (asked: Asked) => Answer | Promise<Answer>

/** Handlers by "GET /path". Routes may be added while a server runs. */
export type Routes = Map<string, Handler>

/** Where a table is served, and to whom. */
export interface Serving {
  /** By what names we are asked; any when absent. */
  readonly hosts?: HostRule
  /** Paths that are answered under any name. */
  readonly open?: readonly string[]
  /** How many may follow events at a time. */
  readonly streams?: number
  readonly unread?: Unread
  /** How often a client is sent 102 Processing while its answer is being made, in milliseconds; never when absent. */
  readonly workingMs?: number
}

/** How many may follow events of one table at a time. */
const STREAMS = 64

/** What waits for readers, of all tables. */
const UNREAD = new Unread()

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
}

const EVENTS = { ...HEADERS, 'content-type': 'text/event-stream' }

/** Serves a table. */
export function serveRoutes(routes: Routes, serving: Serving = {}): RequestListener {
  const served = { routes, streams: STREAMS, unread: UNREAD, following: new Map<ServerResponse, string>(), ...serving }
  return (request, response) => {
    void respond(served, request, response).catch(() => response.destroy())
  }
}

type Served = Required<Pick<Serving, 'streams' | 'unread'>> &
  Serving & { readonly routes: Routes; readonly following: Map<ServerResponse, string> }

async function respond(served: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const working = setInterval(() => {
    if (!response.destroyed) response.writeProcessing()
  }, served.workingMs ?? LONGEST)
  const answer = await answerOf(served, request).finally(() => {
    clearInterval(working)
  })
  if (response.destroyed) return
  if ('events' in answer && request.method === 'HEAD') response.writeHead(200, EVENTS).end()
  else if ('events' in answer) follow(served, answer, response)
  else say(served.unread, answer, response)
}

function say(unread: Unread, answer: Said, response: ServerResponse): void {
  const type = 'json' in answer ? 'application/json' : (answer.type ?? 'text/plain; charset=utf-8')
  const own = 'text' in answer ? answer.headers : {}
  const bytes = writtenOut(answer, () => ('json' in answer ? `${JSON.stringify(answer.json)}\n` : answer.text))
  response.writeHead(answer.status, { ...HEADERS, ...own, 'content-type': type, 'content-length': bytes.length })
  unread.end(response, bytes)
}

function follow(
  { following, streams, unread }: Served,
  { events }: Extract<Answer, { readonly events: unknown }>,
  response: ServerResponse,
): void {
  const asker = askerOf(response.socket?.remoteAddress)
  const full = following.size >= streams
  if (full && !unread.cutFurthest((it) => following.has(it)) && !cutFor(asker, following)) {
    say(unread, { status: 503, json: { error: `${streams} follow already: end one of them` } }, response)
    return
  }
  following.set(response, asker)
  response.writeHead(200, EVENTS)
  response.flushHeaders()
  const gone = new AbortController()
  response.on('close', () => {
    following.delete(response)
    gone.abort()
  })
  events((event) => {
    unread.write(
      response,
      writtenOut(event, () => `data: ${JSON.stringify(event)}\n\n`),
    )
  }, gone.signal)
}

/** Cuts off one of the asker that follows most, unless the newcomer's own follow as many; whether it did. */
function cutFor(newcomer: string, following: Map<ServerResponse, string>): boolean {
  const shares = byShare(Array.from(following, ([response, asker]) => [asker, response] as const))
  const own = shares.find(([asker]) => asker === newcomer)?.[1].length ?? 0
  const [oldest, ...others] = shares[0]?.[1] ?? []
  if (oldest === undefined || others.length <= own) return false
  following.delete(oldest)
  oldest.destroy()
  return true
}

/** An answer or event in bytes: the same for all clients that get the same object. */
function writtenOut(sent: object, text: () => string): Buffer {
  const known = WRITTEN.get(sent)
  if (known !== undefined) return known
  const bytes = Buffer.from(text())
  WRITTEN.set(sent, bytes)
  return bytes
}

const WRITTEN = new WeakMap<object, Buffer>()

async function answerOf(served: Served, request: IncomingMessage): Promise<Answer> {
  const { url = '/', headers } = request
  // What HEAD asks for is what GET would say; Node leaves the text out.
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
  const target = requestTarget(url, headers.host)
  if (target === undefined) return { status: 400, text: 'the request names no path\n' }
  if (isPagesRequest(method, headers)) return { status: 403, text: 'web pages of others change nothing here\n' }
  const stranger = await strangeName(target, served.hosts)
  if (stranger !== undefined && served.open?.includes(target.path) !== true) return misdirected(stranger)
  const handler = served.routes.get(`${method} ${target.path}`)
  if (handler === undefined) {
    const known = [...served.routes.keys()].map((key) => key.replace('GET ', ''))
    return { status: 404, text: `there is ${known.join(', ')}\n` }
  }
  try {
    const body = method === 'GET' ? undefined : await bodyOf(request)
    const answer = await handler({ query: target.query, body })
    return stranger === undefined ? answer : inShort(answer)
  } catch (error) {
    const status = error instanceof Busy ? 503 : error instanceof OperatorError ? 400 : 500
    return { status, json: { error: messageOf(error) } }
  }
}

/** The first name in a request that is not ours, as given. */
async function strangeName({ hosts }: RequestTarget, rule: HostRule | undefined): Promise<string | undefined> {
  if (rule === undefined) return undefined
  for (const host of hosts) {
    const name = nameIn(host)
    if (name === undefined || !(await rule(name))) return host
  }
  return undefined
}

function misdirected(name: string): Said {
  const how = 'ask by address or by the name of this host, or allow it with -healthz-allowed-hosts'
  return { status: 421, text: `${show(name)}: not a name of this host: ${how}\n` }
}

/** Whether, but not why: what is wrong here is not for those who do not know the host. */
function inShort(answer: Answer): Answer {
  if ('events' in answer || answer.status === 200) return answer
  return { status: answer.status, text: `${STATUS_CODES[answer.status] ?? answer.status}\n` }
}
