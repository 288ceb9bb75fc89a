// What etcd's HTTP servers answer to any client, and our own TLS files: clocks and expiry of certificates.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, get as getPlain } from 'node:http'
import { get as getSecure } from 'node:https'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { messageOf } from '../errors.ts'
import { readCredentials } from '../etcd/endpoints.ts'
import { storeOptionsOf } from '../options/open-store.ts'
import { tlsOptions } from '../etcd/tls.ts'
import { wayTo } from '../etcd/tunnel.ts'
import type { PublicOptions } from './known.ts'
import type { CredentialFacts, EndpointFacts } from './facts.ts'

/** How long an endpoint may take: the others are asked meanwhile, and a slow one must not look silent. Milliseconds. */
const LIMIT_MS = 8_000

/** Asks every endpoint for its version: the answer carries the time (RFC 9110, Date). Never rejects. */
export function readEndpointFacts(options: PublicOptions): Promise<readonly EndpointFacts[]> {
  return Promise.all(options.etcdEndpoints.map((url) => askEndpoint(url, options)))
}

async function askEndpoint(url: string, options: PublicOptions): Promise<EndpointFacts> {
  try {
    const began = Date.now()
    const answer = await ask(`${url}/version`, options)
    const ended = Date.now()
    answer.resume()
    const its = Date.parse(answer.headers.date ?? '')
    // Its second may just have begun or be nearly over.
    const clockAheadMs = Number.isNaN(its) ? undefined : Math.round(its + 500 - (began + ended) / 2)
    return { url, clockAheadMs, certificateEnds: endOf(answer), error: undefined }
  } catch (error) {
    return { url, clockAheadMs: undefined, certificateEnds: undefined, error: messageOf(error) }
  }
}

function ask(url: string, options: PublicOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Whether it can be trusted is found out where it matters; here its certificate is only looked at.
    const tls = { ...filesOf(options), rejectUnauthorized: false }
    const how = { ...tls, ...wayTo(url, tls, LIMIT_MS), timeout: LIMIT_MS }
    const asking = url.startsWith('https:') ? getSecure(url, how, resolve) : getPlain(url, how, resolve)
    asking.on('timeout', () => asking.destroy(new Error(`no answer in ${LIMIT_MS} ms`)))
    asking.on('error', reject)
  })
}

function filesOf(options: PublicOptions): SecureContextOptions {
  try {
    return tlsOptions(readCredentials(storeOptionsOf(options)))
  } catch {
    return {}
  }
}

function endOf(answer: IncomingMessage): number | undefined {
  const socket = answer.socket as Partial<TLSSocket>
  const ends = Date.parse(socket.getPeerCertificate?.().valid_to ?? '')
  return Number.isNaN(ends) ? undefined : ends
}

/** Our own files; undefined when none are named. Keys are checked, not kept. */
export function readCredentialFacts(options: PublicOptions): CredentialFacts | undefined {
  const named = [
    { flag: 'etcd-cafile', file: options.etcdCafile },
    { flag: 'etcd-certfile', file: options.etcdCertfile },
  ].flatMap(({ flag, file }) => (file === undefined ? [] : [{ flag, file }]))
  if (named.length === 0) return undefined
  let error: string | undefined
  try {
    readCredentials(storeOptionsOf(options))
  } catch (thrown) {
    error = messageOf(thrown)
  }
  const certificates = named.flatMap(({ flag, file }) => {
    try {
      const { subject, validFrom, validTo } = new X509Certificate(readFileSync(file))
      return [{ flag, file, subject, begins: Date.parse(validFrom), ends: Date.parse(validTo) }]
    } catch {
      // readCredentials has reported it.
      return []
    }
  })
  return { error, certificates }
}
