// Answering HTTP by a table of routes: JSON or text at once, or a stream of server-sent events. The control socket and the
// health port are two tables over the same handlers.
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { OperatorError, messageOf } from './errors.ts'

/** A request: what follows the path's `?`, and the body read as JSON (undefined when there is none). */
export interface Asked {
  readonly query: URLSearchParams
  readonly body: unknown
}

/** An answer; `events` is called once with what sends, and a signal that aborts when the asker has gone. */
export type Answer =
  | { readonly status: number; readonly json: unknown }
  | {
      readonly status: number
      readonly text: string
      readonly type?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  | { readonly events: (send: (event: unknown) => void, gone: AbortSignal) => void }

/** A handler. What it throws is answered: 400 for an OperatorError, else 500. */
export type Handler = (asked: Asked) => Answer | Promise<Answer>

/** Handlers by "GET /path". Routes may be added while a server runs. */
export type Routes = Map<string, Handler>

/** A request body is no longer than so many bytes. */
const BODY_BYTES = 1 << 20

/** Who follows events and has not read so many bytes of them is cut off, so that what waits for it stays bounded. */
const UNREAD_BYTES = 16 << 20

/** Serves a table. */
export function serveRoutes(routes: Routes): RequestListener {
  return (request, response) => {
    void respond(routes, request, response).catch(() => response.destroy())
  }
}

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const handler = routes.get(`${request.method ?? 'GET'} ${url.pathname}`)
  const answer = await answerOf(routes, handler, url, request)
  const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  if ('events' in answer) {
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    answer.events((event) => {
      response.write(`data: ${JSON.stringify(event)}\n\n`)
      if (response.writableLength > UNREAD_BYTES) response.destroy()
    }, gone.signal)
    return
  }
  const [type, text] =
    'json' in answer
      ? ['application/json', `${JSON.stringify(answer.json)}\n`]
      : [answer.type ?? 'text/plain; charset=utf-8', answer.text]
  const own = 'text' in answer ? answer.headers : {}
  response.writeHead(answer.status, { ...headers, ...own, 'content-type': type })
  response.end(text)
}

async function answerOf(
  routes: Routes,
  handler: Handler | undefined,
  url: URL,
  request: IncomingMessage,
): Promise<Answer> {
  if (handler === undefined) {
    return { status: 404, text: `there is ${[...routes.keys()].map((key) => key.replace('GET ', '')).join(', ')}\n` }
  }
  try {
    return await handler({ query: url.searchParams, body: await bodyOf(request) })
  } catch (error) {
    return { status: error instanceof OperatorError ? 400 : 500, json: { error: messageOf(error) } }
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > BODY_BYTES) throw new OperatorError(`request body: at most ${BODY_BYTES} bytes`)
    parts.push(part)
  }
  const text = Buffer.concat(parts).toString('utf8')
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new OperatorError(`request body: ${messageOf(error)}`)
  }
}
