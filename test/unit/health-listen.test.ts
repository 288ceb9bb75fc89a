// The health port where only one address family is available: it listens on that one.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import test from 'ava'
import { serveHealth } from '../../src/http/health-port.ts'
import { createLog } from '../../src/log.ts'

const log = createLog('health', 0, () => undefined)

test('on IPv4 alone while another program has the port of IPv6', async (t) => {
  const stop = new AbortController()
  const other = createServer().listen({ host: '::', port: 0, ipv6Only: true })
  t.teardown(() => {
    stop.abort()
    other.close()
  })
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const routes = new Map([['GET /healthz', () => ({ status: 200, text: 'here' })]])
  await serveHealth({ ip: '0.0.0.0', port }, routes, log, stop.signal)
  t.is(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text(), 'here')
})

test('a port that another has is refused with its name', async (t) => {
  const other = createServer().listen({ host: '0.0.0.0', port: 0 })
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const error = await t.throwsAsync(serveHealth({ ip: '0.0.0.0', port }, new Map(), log, new AbortController().signal))
  t.is(error.message.startsWith(`-healthz-port: 0.0.0.0:${port}: cannot listen: `), true, error.message)
})
