// A server that strangers reach: as many connections as there may be, and work that is done for many at a time.
import test, { type ExecutionContext } from 'ava'
import type { Server } from 'node:http'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { askerOf } from '../../src/http/askers.ts'
import { boundedServer } from '../../src/http/bounds.ts'
import { atMost, shared } from '../../src/http/handlers.ts'
import type { Answer, Asked } from '../../src/http/serve-routes.ts'
import { waitFor } from '../lab/instruments/wait.ts'

async function listening(t: ExecutionContext, server: Server): Promise<number> {
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function open(t: ExecutionContext, port: number, words: string, localAddress = '127.0.0.1'): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined).write(words)
  return socket
}

const connections = (server: Server): Promise<number> =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    }),
  )

test('of many incomplete requests some are kept, and complete ones are answered meanwhile', async (t) => {
  let crowded = 0
  const server = boundedServer((_, response) => response.end('yes'), { connections: 20, crowded: () => crowded++ })
  const port = await listening(t, server)
  // No other client's connection is closed to make room.
  const other = open(t, port, 'GET /slow HTTP/1.1\r\n', '127.0.0.2')
  let otherClosed = false
  other.on('close', () => (otherClosed = true))
  for (let i = 0; i < 300; i++) open(t, port, 'GET / HTTP/1.1\r\nHost:')
  await waitFor('all of them', () => crowded >= 281)
  t.is(await connections(server), 20)
  t.is(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text(), 'yes')
  t.false(otherClosed)
  let said = ''
  other.on('data', (part: Buffer) => (said += part.toString())).write('Host: x\r\n\r\n')
  await waitFor('the answer for the other', () => said.includes('yes'))
})

test('of many addresses with a connection each, one that asks nothing makes room, not one that is being answered', async (t) => {
  let answer: (() => void) | undefined
  const server = boundedServer((_, response) => (answer = () => response.end('yes')), { connections: 20 })
  const port = await listening(t, server)
  let said = ''
  // The oldest, with two connections, more than anybody else has.
  for (let i = 0; i < 2; i++) {
    answer = undefined
    open(t, port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').on('data', (part: Buffer) => (said += part.toString()))
    await waitFor('the request', () => answer !== undefined)
  }
  const slow = answer
  const closed = new Set<string>()
  for (let i = 0; i < 60; i++) {
    const address = `127.0.1.${i + 1}`
    open(t, port, 'GET / HTTP/1.1\r\nHost:', address).on('close', () => closed.add(address))
  }
  await waitFor('room to be made', () => closed.size >= 42)
  slow?.()
  await waitFor('the answer', () => said.includes('yes'))
  t.is(closed.size, 42)
})

test('all addresses of an IPv6 network are one asker', (t) => {
  t.is(askerOf('2001:db8::1'), askerOf('2001:db8:0:0:ffff::9'))
  t.not(askerOf('2001:db8::1'), askerOf('2001:db8:0:1::1'))
  t.is(askerOf('::ffff:192.168.19.1'), '192.168.19.1')
  t.not(askerOf('192.168.19.1'), askerOf('192.168.19.2'))
  t.is(askerOf('fe80::1%eth0'), askerOf('fe80::2'))
  t.is(askerOf(undefined), '')
})

test('among those who are being answered, who has most to read makes room', async (t) => {
  let asked = 0
  const server = boundedServer(
    ({ url }, response) => {
      asked++
      response.write(url === '/big' ? 'x'.repeat(64 << 20) : 'x')
    },
    { connections: 3 },
  )
  const port = await listening(t, server)
  const closed: string[] = []
  for (const path of ['/small', '/big', '/small']) {
    const before = asked
    const socket = open(t, port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    if (path === '/big') socket.pause()
    else socket.resume()
    socket.on('close', () => closed.push(path))
    await waitFor(path, () => asked > before)
  }
  open(t, port, 'GET /new HTTP/1.1\r\nHost: x\r\n\r\n').resume()
  await waitFor('the new one', () => asked === 4)
  t.is(await connections(server), 3)
  t.deepEqual(
    closed.filter((path) => path === '/small'),
    [],
  )
})

test('requests sent ahead of their turn are not worked on', async (t) => {
  let asked = 0
  const server = boundedServer((_, response) => {
    asked++
    setTimeout(() => response.end('yes'), 20)
  })
  const port = await listening(t, server)
  const socket = open(t, port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000))
  let closed = false
  socket.on('close', () => (closed = true)).resume()
  await waitFor('the end of it', () => closed)
  t.is(asked, 1)
})

test('one request after another goes over one connection', async (t) => {
  const server = boundedServer((_, response) => response.end('yes'))
  const port = await listening(t, server)
  const socket = open(t, port, '')
  let said = ''
  socket.on('data', (part: Buffer) => (said += part.toString()))
  for (let n = 1; n <= 5; n++) {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await waitFor(`answer ${n}`, () => said.split('yes').length === n + 1)
  }
  t.pass()
})

test('a head that does not come is given up after seconds, not kept', (t) => {
  const { headersTimeout, requestTimeout, keepAliveTimeout } = boundedServer(() => undefined)
  t.deepEqual([headersTimeout, requestTimeout, keepAliveTimeout], [10_000, 30_000, 5000])
})

const NOTHING: Asked = { query: new URLSearchParams(), body: undefined }

test('work that many ask for at the same time is done twice, and no answer is older than its request', async (t) => {
  let [made, world] = [0, 0]
  const go: (() => void)[] = []
  const handler = shared(async (): Promise<Answer> => {
    made++
    const seen = world
    await new Promise<void>((resolve) => go.push(resolve))
    return { status: 200, json: seen }
  })
  const first = handler(NOTHING)
  await waitFor('the work', () => go.length === 1)
  world = 1
  const rest = Array.from({ length: 100 }, async () => handler(NOTHING))
  go[0]?.()
  t.deepEqual(await first, { status: 200, json: 0 })
  await waitFor('the next work', () => go.length === 2)
  go[1]?.()
  const answers = await Promise.all(rest)
  t.true(answers.every((answer) => answer === answers[0]))
  t.deepEqual(answers[0], { status: 200, json: 1 })
  t.is(made, 2)
})

test('work that fails is reported to all who wait for it, and done again for the next', async (t) => {
  let made = 0
  const handler = shared((): Answer => {
    if (++made < 3) throw new Error(`no ${made}`)
    return { status: 200, json: made }
  })
  const asked = await Promise.allSettled([1, 2, 3].map(async () => handler(NOTHING)))
  t.deepEqual(
    asked.map((it) => (it.status === 'rejected' ? (it.reason as Error).message : '')),
    ['no 1', 'no 2', 'no 2'],
  )
  t.deepEqual(await handler(NOTHING), { status: 200, json: 3 })
})

test('a few are worked on at a time, the others in turn', async (t) => {
  let [running, most, done] = [0, 0, 0]
  const handler = atMost(4, async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    if (++done % 3 === 0) throw new Error('refused')
    return { status: 200, json: null }
  })
  await Promise.allSettled(Array.from({ length: 50 }, async () => handler(NOTHING)))
  t.deepEqual([most, done, running], [4, 50, 0])
})
