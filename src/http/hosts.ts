// Which requests come from whom we serve: a web page can send a browser to any address under a name of its own (DNS rebinding),
// so a name we do not go by is refused. Pure, but for ownNames, which reads this host's files.
import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

/** Whether a host, by the name in a request (lower case, no port), is one we go by. */
export type HostRule = (name: string) => boolean | Promise<boolean>

/** What a request asks for. */
export interface RequestTarget {
  /** Undecoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** Under which hosts, with or without port: of the Host header and of a URL in the request line. HTTP/1.0 may name none. */
  readonly hosts: readonly string[]
}

/** Reads the request line's target and the Host header; undefined for what is neither a path nor a URL. */
export function requestTarget(url: string, host: string | undefined): RequestTarget | undefined {
  const named = host === undefined ? [] : [host]
  if (url.startsWith('/')) {
    const [path = '', query] = split(url, '?')
    return { path, query: new URLSearchParams(query), hosts: named }
  }
  if (!URL.canParse(url)) return undefined
  const { host: inUrl, pathname, searchParams } = new URL(url)
  return { path: pathname, query: searchParams, hosts: [...named, inUrl] }
}

/** The host without port, dot at the end and capitals; undefined for what is none. */
export function nameIn(host: string): string | undefined {
  const [, six, name] = /^(?:\[([\da-f:.]+)\]|([^\s:/?#@[\]]+))(?::\d{1,5})?$/i.exec(host) ?? []
  return (six ?? name)?.toLowerCase().replace(/\.$/, '')
}

/**
 * The rule: addresses, localhost, the host's own names, and those of -healthz-allowed-hosts, where `.example.org` are all names
 * under it and `*` any.
 */
export function hostRule(own: () => Promise<ReadonlySet<string>>, allowed: readonly string[]): HostRule {
  return async (name) =>
    isIP(name) !== 0 ||
    name === 'localhost' ||
    allowed.some((it) => it === '*' || it === name || (it.startsWith('.') && name.endsWith(it))) ||
    (await own()).has(name)
}

/** Whether a web page asks for a change: only browsers say where a request comes from. */
export function isPagesRequest(method: string, headers: IncomingHttpHeaders): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
}

/** The names of this host: its hostname, that name under each search domain, and its names in /etc/hosts. */
export async function ownNames(etc = '/etc', name = hostname()): Promise<ReadonlySet<string>> {
  const [hosts, resolver] = await Promise.all([linesOf(`${etc}/hosts`), linesOf(`${etc}/resolv.conf`)])
  const own = name.toLowerCase()
  const same = hosts.map(([, ...names]) => names).filter((names) => names.includes(own))
  const domains = resolver.flatMap(([word, ...rest]) => (word === 'search' || word === 'domain' ? rest : []))
  return new Set([own, ...same.flat(), ...domains.map((domain) => `${own}.${domain.replace(/\.$/, '')}`)])
}

/** How long names count as read. Milliseconds. */
const FRESH_MS = 10_000

/** The names of this host, read again from time to time: a name may come after the start. */
export function latestNames(read = ownNames): () => Promise<ReadonlySet<string>> {
  let names: Promise<ReadonlySet<string>> | undefined
  let readAt = 0
  return () => {
    if (names !== undefined && performance.now() - readAt < FRESH_MS) return names
    readAt = performance.now()
    return (names = read())
  }
}

/** The words of each line, in lower case; none of a file that cannot be read. */
async function linesOf(path: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').map((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/))
}

function split(text: string, at: string): readonly string[] {
  const index = text.indexOf(at)
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)]
}
