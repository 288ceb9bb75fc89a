// The Docker engine's API on its socket: as much of it as our verbs need.
// Invariant: a call ends within its time limit, and an answer that is no success is an error in the engine's own words.
import { request } from 'node:http'
import { OperatorError } from '../errors.ts'

/** The API of one engine. */
export interface Engine {
  /** "28.5.2" */
  readonly version: string
  /** The decoded answer of a GET; undefined when there is no such thing (404). Throws OperatorError. */
  get(path: string): Promise<unknown>
  /** Throws OperatorError. */
  post(path: string, body: object): Promise<unknown>
}

const LIMIT_MS = 15_000

/** The socket of a DOCKER_HOST ("unix:///run/docker.sock"), or the usual one. Throws OperatorError for anything else. */
export function dockerSocket(dockerHost: string | undefined): string {
  if (dockerHost === undefined || dockerHost === '') return '/var/run/docker.sock'
  const path = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1]
  if (path !== undefined) return path
  throw new OperatorError(`DOCKER_HOST: ${dockerHost}: not a unix:// socket: name this host's with -docker-socket`)
}

/** Asks the engine at `socket` what it is. Throws OperatorError. */
export async function openEngine(socket: string): Promise<Engine> {
  const about = await call(socket, 'GET', '/version')
  const api = field(about, 'ApiVersion')
  const version = field(about, 'Version')
  if (typeof api !== 'string' || typeof version !== 'string')
    throw new OperatorError(`docker: ${socket}: not a Docker engine`)
  return {
    version,
    get: (path) => call(socket, 'GET', `/v${api}${path}`),
    post: (path, body) => call(socket, 'POST', `/v${api}${path}`, body),
  }
}

/** A field of something decoded from JSON; undefined when it has none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

function call(socketPath: string, method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new OperatorError(`docker: ${socketPath}: ${why}`))
    }
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request({ socketPath, method, path, headers, timeout: LIMIT_MS }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', (error) => {
        fail(error.message)
      })
      response.on('end', () => {
        const status = response.statusCode ?? 0
        if (status === 404 && method === 'GET') {
          resolve(undefined)
          return
        }
        const answer = decode(Buffer.concat(parts).toString())
        if (status >= 200 && status < 300) {
          resolve(answer)
          return
        }
        const said = field(answer, 'message')
        fail(`${method} ${path}: ${typeof said === 'string' ? said : `status ${status}`}`)
      })
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${LIMIT_MS} ms`)))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      fail(ADVICE[error.code ?? ''] ?? error.message)
    })
    asked.end(body && JSON.stringify(body))
  })
}

/** What to do about each errno(3) of a connection. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'not there: is dockerd running? (-docker-socket or DOCKER_HOST name another)',
  ECONNREFUSED: 'connection refused: is dockerd running?',
  EACCES: 'permission denied: run as root',
}

function decode(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
