// The format of -etcd-endpoints. Its rules never repeat a text that may hold a password.
import { type Format, broken, itemsOf, listOf } from './format.ts'

/** Comma-separated URLs of etcd members as `scheme://host:port`; the scheme is missing where it was not given. */
export const endpoints: Format<readonly string[]> = {
  name: 'flag-endpoints',
  argument: 'URLs',
  coerce: (text) => [...new Set(listOf(text).map((part) => endpointOf(part) ?? part))],
  validate(value): asserts value is readonly string[] {
    const parts = itemsOf(value)
    if (parts.length === 0) broken('must name at least one URL, such as http://127.0.0.1:2379')
    if (parts.some((part) => part.includes('@')))
      broken('must hold no user name or password: use -etcd-username and -etcd-password')
    const wrong = parts.find((part) => endpointOf(part) !== part)
    if (wrong !== undefined) broken(`${wrong}: ${ruleFor(wrong)}`)
  },
}

/** Host and port without a scheme. Go's client takes them; src/etcd/schemes.ts says what they mean. */
const BARE = /^([\w.-]+|\[[\da-f:]+\]):(\d+)\/?$/i

/** An endpoint in the one form it is kept in; undefined for what is no endpoint. */
function endpointOf(text: string): string | undefined {
  const port = Number(BARE.exec(text)?.[2])
  if (port >= 1 && port <= 65_535) return text.replace(/\/$/, '').toLowerCase()
  const url = httpUrl(text)
  if (url === undefined || saysMore(url)) return undefined
  // The port is always named: URL drops the scheme's own port, and gRPC has a default of its own.
  const { protocol, hostname, port: named } = url
  return `${protocol}//${hostname}:${named === '' ? (protocol === 'https:' ? '443' : '80') : named}`
}

function ruleFor(text: string): string {
  const url = httpUrl(text)
  if (url !== undefined) return "must end after the port: the keys' path is -etcd-prefix"
  if (BARE.test(text) || /^https?:\/\/[^/?#@\s]+:\d+\/?$/i.test(text)) return 'must have a port from 1 to 65535'
  const hint = /^[\w.-]+$|^\[[\da-f:]+\]$/i.test(text) ? `, did you mean ${text}:2379?` : ''
  return `must be host:port or a URL beginning with http:// or https://${hint}`
}

function httpUrl(text: string): URL | undefined {
  if (text.includes('@') || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return /^https?:$/.test(url.protocol) && url.hostname !== '' ? url : undefined
}

function saysMore({ pathname, search, hash }: URL): boolean {
  return pathname !== '/' || search !== '' || hash !== ''
}
