// The control socket: HTTP and JSON over a Unix socket beside subnet.env, by which the verbs ask the running daemon.
// Invariant: mode 0660; the file is gone when the daemon has stopped, one left by a killed daemon is replaced.
import { chmodSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { type IncomingMessage, createServer, request } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { OperatorError, messageOf } from './errors.ts'
import { type Routes, serveRoutes } from './http.ts'
import type { Log } from './log.ts'

/** How long an answer may take. Milliseconds. */
const ANSWER_MS = 10_000

/** Where the daemon of a subnet file listens: flanneld.sock beside the usual one, so that two daemons do not meet. */
export function controlPath(subnetFile: string): string {
  const name = basename(subnetFile)
  return join(dirname(subnetFile), name === 'subnet.env' ? 'flanneld.sock' : `${name}.sock`)
}

/** Answers until the signal aborts. Without a socket the daemon goes on, and says so. */
export async function serveControl(path: string, routes: Routes, log: Log, signal: AbortSignal): Promise<void> {
  const server = createServer(serveRoutes(routes))
  try {
    await mkdir(dirname(path), { recursive: true })
    await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
    chmodSync(path, 0o660)
  } catch (error) {
    log.warn(`control socket: ${path}: ${messageOf(error)}; flanneld status will not find this daemon`)
    return
  }
  signal.addEventListener('abort', () => {
    // Closing removes the file.
    server.close()
    server.closeAllConnections()
  })
}

/**
 * What the daemon behind a socket answers to "GET /v1/status" and the like; undefined when none answers.
 * Throws OperatorError with the daemon's own words for what it refuses.
 */
export async function askControl(path: string, route: string, body?: unknown): Promise<unknown> {
  const answer = await open(path, route, body)
  if (answer === undefined) return undefined
  let text = ''
  for await (const part of answer.setEncoding('utf8') as AsyncIterable<string>) text += part
  const value = parsed(text)
  if (answer.statusCode === 200) return value
  const { error } = (value ?? {}) as { error?: unknown }
  throw new OperatorError(typeof error === 'string' ? error : `${route}: the daemon answers ${text.trim()}`)
}

/** The events the daemon behind a socket sends, until it ends; undefined when none answers. */
export async function followControl(path: string, route: string): Promise<AsyncIterableIterator<unknown> | undefined> {
  const answer = await open(path, route, undefined)
  return answer === undefined ? undefined : eventsIn(answer)
}

async function* eventsIn(answer: IncomingMessage): AsyncIterableIterator<unknown> {
  let rest = ''
  for await (const part of answer.setEncoding('utf8') as AsyncIterable<string>) {
    const blocks = (rest + part).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      if (block.startsWith('data: ')) yield JSON.parse(block.slice('data: '.length))
    }
  }
}

function open(path: string, route: string, body: unknown): Promise<IncomingMessage | undefined> {
  const [method, url] = route.split(' ')
  return new Promise((resolve) => {
    const asking = request({ socketPath: path, path: url, method, timeout: ANSWER_MS }, (answer) => {
      // A stream of events is quiet for as long as nothing happens.
      asking.setTimeout(0)
      resolve(answer)
    })
    asking.on('timeout', () => asking.destroy())
    asking.on('error', () => resolve(undefined))
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
