// The control socket: HTTP and JSON over a Unix socket next to subnet.env, by which the verbs ask the running daemon.
// Invariant: mode 0660 from the first moment on; the file is gone when the daemon has stopped, a socket left by a killed daemon
// is replaced.
import { type IncomingMessage, request } from 'node:http'
import { connect, isIP } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { OperatorError, messageOf } from '../errors.ts'
import { pause } from '../async/wait.ts'
import { makeFolder } from '../files/make-folder.ts'
import { boundedServer, crowdIn } from './bounds.ts'
import type { HostRule } from './hosts.ts'
import { type Routes, serveRoutes } from './serve-routes.ts'
import type { Log } from '../log.ts'
import { listenAt, removeSocket } from './unix-socket.ts'

/** A daemon is there, and says nothing. */
export class Unanswered extends OperatorError {
  override readonly name = 'Unanswered'
}

/** How long the daemon may say nothing. While it works on an answer it says so several times as often: etcd may be slow. */
const ANSWER_MS = 10_000

/** How often another daemon's socket is looked at. Milliseconds. */
const OTHERS_MS = 2000

/**
 * A socket that is forwarded to a port (ssh -L) can be reached by a browser, and a web page by a name of its own. Whoever
 * asks a socket names anything as host, `localhost` mostly: what is no name on the Internet passes.
 */
const isPlainName: HostRule = (name) => !name.includes('.') || isIP(name) !== 0

/** Where the daemon of a subnet file listens: flanneld.sock next to the usual one, so that two daemons do not meet. */
export function controlPath(subnetFile: string): string {
  const name = basename(subnetFile)
  return join(dirname(subnetFile), name === 'subnet.env' ? 'flanneld.sock' : `${name}.sock`)
}

/**
 * Answers until the signal aborts, or the process ends. Without a socket the daemon continues and logs that; while another
 * daemon answers on it, it is that one's.
 */
export async function serveControl(path: string, routes: Routes, log: Log, signal: AbortSignal): Promise<void> {
  const listen = async (): Promise<void> => {
    const serving = { hosts: isPlainName, workingMs: ANSWER_MS / 4 }
    const server = boundedServer(serveRoutes(routes, serving), { crowded: crowdIn(log, 'control socket') })
    await makeFolder(dirname(path))
    await listenAt(server, path)
    // A fatal error ends the process without an abort.
    const unlink = (): boolean => removeSocket(path)
    process.once('exit', unlink)
    signal.addEventListener('abort', () => {
      process.off('exit', unlink)
      // Closing removes the file.
      server.close()
      server.closeAllConnections()
    })
  }
  try {
    if (!(await isAnswered(path))) {
      await listen()
      return
    }
    log.warn(`control socket: ${path}: another daemon answers there: flanneld status shows that one, until it ends`)
    void freed(path, signal)
      .then(() => (signal.aborted ? undefined : listen()))
      .catch((error: unknown) => {
        log.warn(unserved(path, error))
      })
  } catch (error) {
    log.warn(unserved(path, error))
  }
}

function unserved(path: string, error: unknown): string {
  return `control socket: ${path}: ${messageOf(error)}; flanneld status will not find this daemon`
}

async function freed(path: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await isAnswered(path))) await pause(OTHERS_MS, signal)
}

/** Whether a process listens on a socket. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      resolve(true)
    })
    // One that cannot take more callers at this moment is there.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'EAGAIN')
    })
    socket.on('connect', () => socket.destroy())
  })
}

/**
 * What the daemon behind a socket answers to "GET /v1/status" and the like; undefined when none answers.
 * Throws OperatorError with the daemon's own words for what it refuses, and Unanswered when it takes too long.
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

/** The events the daemon behind a socket sends, until it ends or `signal` aborts; undefined when none answers. */
export async function followControl(
  path: string,
  route: string,
  signal?: AbortSignal,
): Promise<AsyncIterableIterator<unknown> | undefined> {
  const answer = await open(path, route, undefined)
  if (answer === undefined) return undefined
  signal?.addEventListener('abort', () => answer.destroy())
  return eventsIn(answer)
}

async function* eventsIn(answer: IncomingMessage): AsyncIterableIterator<unknown> {
  let rest = ''
  try {
    for await (const part of answer.setEncoding('utf8') as AsyncIterable<string>) {
      const blocks = (rest + part).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        if (block.startsWith('data: ')) yield JSON.parse(block.slice('data: '.length))
      }
    }
  } catch (error) {
    // How a stream ends whose daemon was stopped, or that was cut off here.
    if (!answer.destroyed) throw error
  }
}

function open(path: string, route: string, body: unknown): Promise<IncomingMessage | undefined> {
  const [method, url] = route.split(' ')
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: path, path: url, method, timeout: ANSWER_MS }, (answer) => {
      // A stream of events is quiet for as long as nothing happens.
      asking.setTimeout(0)
      resolve(answer)
    })
    const late = `control socket: ${path}: the daemon does not answer within ${ANSWER_MS / 1000} s: is it stopped, or very busy?`
    asking.on('timeout', () => asking.destroy(new Unanswered(late)))
    asking.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof OperatorError) reject(error)
      else if (error.code === 'EACCES' || error.code === 'EPERM')
        reject(
          new OperatorError(`control socket: ${path}: permission denied: run as root, or in the group of that file`),
        )
      else resolve(undefined)
    })
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
