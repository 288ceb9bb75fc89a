// How each endpoint of an etcd cluster is, as its own /health says over the client port. Asked on request only.
// Invariant: an answer within the limit, never an error; no credentials of a user are sent, as /health needs none.
import { type RequestOptions, request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { messageOf } from '../errors.ts'
import { printable } from '../text/plain-text.ts'
import { type StoreOptions, hasFiles, parseEndpoints, readCredentials } from './endpoints.ts'
import { tlsOptions } from './tls.ts'
import { wayTo } from './tunnel.ts'

/**
 * `healthy` and `unhealthy` are etcd's own words; `silent`: no answer, or no connection; `unknown`: something answers that
 * does not speak of its health, such as an etcd with --listen-client-http-urls.
 */
type Health = 'healthy' | 'unhealthy' | 'silent' | 'unknown'

/** One endpoint. */
export interface EndpointHealth {
  readonly url: string
  readonly health: Health
  /** Why it is not healthy; empty when it is. */
  readonly detail: string
}

/** Long for a member that lives, short for a person who waits. Milliseconds. */
const LIMIT_MS = 1500
/** An etcd known to be slow gets more, but who asks for the daemon's status waits for this. Milliseconds. */
const MOST_MS = 8000
const BODY_BYTES = 4096

/** Asks all endpoints at once; `usual`: how long an answer usually takes, in milliseconds. Throws OperatorError for invalid endpoints and TLS files. */
export function askHealth(options: StoreOptions, usual = 0): Promise<readonly EndpointHealth[]> {
  const { urls, secure: tls } = parseEndpoints(options.endpoints, hasFiles(options))
  const limit = Math.min(MOST_MS, Math.max(LIMIT_MS, Math.round(usual * 3)))
  const files = tls ? tlsOptions(readCredentials(options)) : {}
  return Promise.all(
    urls.map(async (url) => ({
      url,
      ...(await ask(url, { ...files, ...wayTo(url, files, limit), timeout: limit }, limit)),
    })),
  )
}

function ask(url: string, how: RequestOptions, limit: number): Promise<Omit<EndpointHealth, 'url'>> {
  return new Promise((resolve) => {
    const asking = (url.startsWith('https:') ? secure : plain)(`${url}/health`, how, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => {
        text += part
        if (text.length > BODY_BYTES) answer.destroy()
      })
      answer.on('error', () => undefined)
      answer.on('close', () => {
        clearTimeout(late)
        resolve(readHealth(text))
      })
    })
    // The timeout of a request is one of silence alone.
    const late = setTimeout(() => asking.destroy(new Error(`no answer in ${limit} ms`)), limit)
    asking.on('timeout', () => asking.destroy(new Error(`no answer in ${limit} ms`)))
    asking.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(late)
      const other = error.code?.startsWith('HPE_') === true
      resolve({ health: other ? 'unknown' : 'silent', detail: messageOf(error) })
    })
    asking.end()
  })
}

/** Characters that are kept of why a member is not well. */
const MOST_REASON = 200

/** `{"health":"true","reason":""}`; older ones say true without quotes. */
function readHealth(text: string): Omit<EndpointHealth, 'url'> {
  try {
    const { health, reason } = JSON.parse(text) as { readonly health?: unknown; readonly reason?: unknown }
    if (health === 'true' || health === true) return { health: 'healthy', detail: '' }
    if (health !== undefined)
      return { health: 'unhealthy', detail: typeof reason === 'string' ? printable(reason, MOST_REASON) : '' }
  } catch {
    // Not etcd's answer.
  }
  return { health: 'unknown', detail: 'does not speak of its health' }
}
