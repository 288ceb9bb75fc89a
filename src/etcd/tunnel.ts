// Plain HTTP and HTTPS requests to an endpoint by the path that gRPC takes: directly, or through the proxy that Go would ask.
import { request } from 'node:http'
import { type Socket, isIP } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { type Proxy, proxyFor } from './proxy.ts'

/** What a request to `url` needs in addition to its own options: nothing without a proxy. `tls` is for https. */
export function wayTo(url: string, tls: ConnectionOptions, limit: number): object {
  const { host, hostname, protocol } = new URL(url)
  const address = /:\d+$/.test(host) ? host : `${host}:${protocol === 'https:' ? 443 : 80}`
  const proxy = proxyFor(address, process.env)
  if (proxy === undefined) return { agent: false }
  const name = hostname.replace(/^\[|\]$/g, '')
  return {
    createConnection(_options: unknown, done: (error: Error | null, socket?: Socket) => void): void {
      tunnel(proxy, address, limit, (error, socket) => {
        if (socket === undefined || protocol !== 'https:') done(error, socket)
        else done(null, connect({ ...tls, socket, host: name, ...(isIP(name) === 0 ? { servername: name } : {}) }))
      })
    },
  }
}

function tunnel(
  { address: proxy, credentials }: Proxy,
  address: string,
  limit: number,
  done: (error: Error | null, socket?: Socket) => void,
): void {
  const authorization = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`
  const asking = request(`http://${proxy}`, {
    method: 'CONNECT',
    path: address,
    agent: false,
    timeout: limit,
    headers: { host: address, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
  })
  asking.on('timeout', () => asking.destroy(new Error(`proxy ${proxy}: no answer in ${limit} ms`)))
  asking.on('error', (error) => {
    done(error)
  })
  asking.on('connect', ({ statusCode }, socket: Socket) => {
    if (statusCode === 200) {
      done(null, socket)
      return
    }
    socket.destroy()
    done(new Error(`proxy ${proxy}: HTTP status ${statusCode ?? '?'}`))
  })
  asking.end()
}
