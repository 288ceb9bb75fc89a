// Which proxy leads to an etcd, by the rules of Go's golang.org/x/net/http/httpproxy as gRPC for Go asks it: HTTPS_PROXY or
// https_proxy, for plain endpoints too, unless NO_PROXY or no_proxy leaves the endpoint out. Pure.
// Invariant: loopback is always reached directly; a proxy's password is in no text but `credentials`.
import { BlockList, isIP } from 'node:net'

/** A proxy that is asked to CONNECT. */
export interface Proxy {
  /** `host:port`, an IPv6 address in brackets. */
  readonly address: string
  /** The variable that names it. */
  readonly variable: string
  /** `user:password`, decoded; secret. */
  readonly credentials: string | undefined
}

/** The environment, as process.env. */
type Environment = Readonly<Record<string, string | undefined>>

/** The proxy for `address`, `host:port`; undefined for none. */
export function proxyFor(address: string, env: Environment): Proxy | undefined {
  const variable = ['HTTPS_PROXY', 'https_proxy'].find((name) => (env[name] ?? '') !== '')
  const proxy = variable === undefined ? undefined : parseProxy(env[variable] ?? '', variable)
  if (proxy === undefined) return undefined
  const noProxy = ['NO_PROXY', 'no_proxy'].map((name) => env[name] ?? '').find((text) => text !== '') ?? ''
  return isDirect(address, noProxy) ? undefined : proxy
}

/** Go takes what it cannot parse for no proxy at all, and a text without a known scheme for `http://` and that text. */
function parseProxy(text: string, variable: string): Proxy | undefined {
  const full = /^(https?|socks5):\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(full)) return undefined
  // URL knows hosts and ports of http alone well enough; the scheme does not matter to CONNECT.
  const { hostname, port, username, password } = new URL(full.replace(/^[a-z0-9]+:/i, 'http:'))
  const user = decoded(username)
  const usual = /^https:/i.test(full) ? '443' : /^socks5:/i.test(full) ? '1080' : '80'
  return {
    address: `${hostname}:${port === '' ? usual : port}`,
    variable,
    credentials: user === '' ? undefined : `${user}:${decoded(password)}`,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Whether no_proxy, or its being loopback, leaves an endpoint out. */
function isDirect(address: string, noProxy: string): boolean {
  const [host, port = ''] = split(address)
  if (host === 'localhost' || isLoopback(host)) return true
  const name = host.toLowerCase()
  const entries = noProxy.split(',').map((entry) => entry.trim().toLowerCase())
  // A star among others leaves everything out, alone in its entry only.
  return entries.includes('*') || entries.some((entry) => entry !== '' && matches(entry, name, port))
}

function matches(entry: string, host: string, port: string): boolean {
  const [network = '', length] = entry.split('/')
  if (isIP(network) !== 0 && length !== undefined && /^\d{1,3}$/.test(length)) {
    const most = isIP(network) === 4 ? 32 : 128
    return isIP(host) !== 0 && Number(length) <= most && within(host, network, Number(length))
  }
  const [name, onlyPort = ''] = split(entry)
  return name !== '' && (onlyPort === '' || onlyPort === port) && matchesName(name, host)
}

function matchesName(name: string, host: string): boolean {
  if (isIP(name) !== 0) return isIP(host) !== 0 && within(host, name, isIP(name) === 4 ? 32 : 128)
  const suffix = name.startsWith('*.') ? name.slice(1) : name
  return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`)
}

function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && (within(host, '127.0.0.0', 8) || within(host, '::1', 128))
}

/** Whether an address is in a network; IPv4 in IPv6's clothes counts as IPv4. */
function within(address: string, network: string, length: number): boolean {
  const list = new BlockList()
  list.addSubnet(network, length, isIP(network) === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

/** Host and port; the port undefined without one, brackets of IPv6 taken off. */
function split(text: string): readonly [string, string | undefined] {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed !== null) return [bracketed[1] ?? '', bracketed[2]]
  const colons = text.split(':')
  return colons.length === 2 ? [colons[0] ?? '', colons[1]] : [text, undefined]
}
