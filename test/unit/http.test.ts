// Answers over HTTP: to a client that reads, to many that do not, and to those over their limit.
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { type IncomingMessage, createServer, request } from 'node:http'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Answer, type Handler, type Serving, serveRoutes } from '../../src/http/serve-routes.ts'
import { Unread } from '../../src/http/unread.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const MIB = 1 << 20

/** Serves a table on a Unix socket, whose buffer in the kernel is small. */
async function serve(t: ExecutionContext, routes: Readonly<Record<string, Handler>>, serving: Serving = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'flanneld-http-'))
  const path = join(folder, 'sock')
  const server = createServer(serveRoutes(new Map(Object.entries(routes)), serving))
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    /** Sends words and reads nothing. */
    send(words: string): Socket {
      const socket = connect(path)
      t.teardown(() => socket.destroy())
      socket.on('error', () => undefined).pause()
      socket.write(words)
      return socket
    },
    ask(url: string, method = 'GET', body?: string, working = (): void => undefined): Promise<IncomingMessage> {
      return new Promise((resolve, reject) => {
        const headers = body === undefined ? {} : { 'content-length': body.length }
        const asking = request({ socketPath: path, path: url, method, headers, agent: false }, resolve)
        asking.on('information', working).on('error', reject).end(body)
      })
    },
  }
}

const FOLLOW = 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n'

test('a follower of events that does not read is cut off, so its queue stays bounded', async (t) => {
  let [sent, over] = [0, false]
  const { send } = await serve(t, {
    'GET /events': () => ({
      events(tell, gone) {
        gone.addEventListener('abort', () => (over = true))
        const more = (): void => {
          if (over) return
          tell({ text: 'x'.repeat(MIB) })
          sent++
          setImmediate(more)
        }
        more()
      },
    }),
  })
  send(FOLLOW)
  await waitFor('the end', () => over)
  t.true(sent < 64, `${sent} MiB`)
})

test('an event that many have not read is kept once, and they are cut off together before one that reads', async (t) => {
  const unread = new Unread(4 * MIB)
  const tellers = new Set<(event: object) => void>()
  const { send, ask } = await serve(
    t,
    {
      'GET /events': () => ({
        events(tell, gone) {
          tellers.add(tell)
          gone.addEventListener('abort', () => tellers.delete(tell))
        },
      }),
    },
    { unread },
  )
  for (let i = 0; i < 40; i++) send(FOLLOW)
  const reader = await ask('/events')
  let read = 0
  reader.on('data', (part: Buffer) => (read += part.length))
  await waitFor('all', () => tellers.size === 41)
  const event = (n: number): object => ({ n, text: 'x'.repeat(MIB) })
  for (let n = 1; n <= 3; n++) {
    const same = event(n)
    for (const tell of tellers) tell(same)
    await waitFor('the reader', () => read >= n * MIB)
  }
  t.is(tellers.size, 41)
  t.true(unread.bytes < 3.1 * MIB, `${unread.bytes} bytes of 120 MiB`)
  for (let n = 4; n <= 6; n++) {
    const same = event(n)
    for (const tell of tellers) tell(same)
    await waitFor('the reader', () => read >= n * MIB)
  }
  await waitFor('only the reader', () => tellers.size === 1)
  await waitFor('nothing that waits', () => unread.bytes === 0)
})

test('a client that asks for a large answer and does not read it is cut off', async (t) => {
  const unread = new Unread(4 * MIB)
  const { send, ask } = await serve(t, { 'GET /big': () => ({ status: 200, text: 'x'.repeat(MIB) }) }, { unread })
  const sockets = Array.from({ length: 40 }, () => send('GET /big HTTP/1.1\r\nHost: x\r\n\r\n'))
  let [closed, taken] = [0, 0]
  for (const socket of sockets)
    socket
      .on('close', () => closed++)
      .on('data', (part: Buffer) => (taken += part.length))
      .pause()
  t.is((await text(await ask('/big'))).length, MIB)
  t.true(unread.bytes <= 4 * MIB)
  for (const socket of sockets) socket.resume()
  await waitFor('those cut off', () => closed >= 30)
  t.true(taken < 20 * MIB, `${taken} bytes of 40 MiB`)
})

test('more followers than there is room for: one that does not read makes room, else the newest is refused', async (t) => {
  const tellers = new Set<(event: object) => void>()
  const handler = (): Answer => ({
    events(tell, gone) {
      tellers.add(tell)
      gone.addEventListener('abort', () => tellers.delete(tell))
    },
  })
  const { send, ask } = await serve(t, { 'GET /events': handler }, { streams: 3, unread: new Unread() })
  const readers = [await ask('/events'), await ask('/events')]
  for (const reader of readers) reader.resume()
  send(FOLLOW)
  await waitFor('three', () => tellers.size === 3)
  const refused = await ask('/events')
  t.is(refused.statusCode, 503)
  t.is(await text(refused), '{"error":"3 follow already: end one of them"}\n')
  for (const tell of tellers) tell({ text: 'x'.repeat(MIB) })
  await waitFor('the readers have read', async () => {
    const late = await ask('/events')
    late.destroy()
    return late.statusCode === 200
  })
  t.true(readers.every((reader) => !reader.destroyed))
})

test('the client with the most followers makes room for one with fewer', async (t) => {
  const tellers = new Set<(event: object) => void>()
  const handler = (): Answer => ({
    events(tell, gone) {
      tellers.add(tell)
      gone.addEventListener('abort', () => tellers.delete(tell))
    },
  })
  const server = createServer(serveRoutes(new Map([['GET /events', handler]]), { streams: 8 }))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const from = (localAddress: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const asking = request({ port, localAddress, path: '/events', agent: false }, (answer) => {
        resolve(answer.resume())
      })
      asking.on('error', reject).end()
    })
  for (let i = 0; i < 8; i++) (await from('127.0.0.1')).on('error', () => undefined)
  t.is((await from('127.0.0.1')).statusCode, 503, 'his own make no room for more')
  const others = []
  for (let i = 0; i < 4; i++) others.push(await from('127.0.0.2'))
  t.deepEqual(
    others.map(({ statusCode }) => statusCode),
    [200, 200, 200, 200],
  )
  t.is((await from('127.0.0.2')).statusCode, 503, 'half of it is a fair share')
  await waitFor('as many as there may be', () => tellers.size === 8)
  t.true(others.every(({ destroyed }) => !destroyed))
})

test('bodies that are being sent are bounded together, and one of a GET is not read', async (t) => {
  const bodies: unknown[] = []
  const { send, ask } = await serve(t, {
    'POST /x': ({ body }) => {
      bodies.push(body)
      return { status: 200, json: body }
    },
    'GET /x': ({ body }) => ({ status: 200, json: body ?? null }),
  })
  const half = `POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: ${MIB}\r\n\r\n"${'x'.repeat(MIB - 2)}`
  const sockets = Array.from({ length: 20 }, () => send(half))
  let told = ''
  for (const socket of sockets) socket.on('data', (part: Buffer) => (told += part.toString())).resume()
  await waitFor('those over the bound', () => told.split('503 Service Unavailable').length - 1 >= 12)
  t.deepEqual(bodies, [])
  for (const socket of sockets) socket.destroy()
  await waitFor('room again', async () => (await ask('/x', 'POST', '{"a":1}')).statusCode === 200)
  t.deepEqual(bodies, [{ a: 1 }])
  t.is(await text(await ask('/x', 'GET', 'x'.repeat(1000))), 'null\n')
  t.is((await ask('/x', 'POST', 'x'.repeat(2 * MIB))).statusCode, 400)
})

test('an answer has its own headers in addition to those of all', async (t) => {
  const { ask } = await serve(t, {
    'GET /a': () => ({ status: 200, text: 'a', type: 'text/x', headers: { 'x-own': 'b' } }),
  })
  const { headers } = await ask('/a')
  t.deepEqual(
    ['content-type', 'x-own', 'cache-control', 'x-content-type-options', 'content-length'].map((name) => headers[name]),
    ['text/x', 'b', 'no-store', 'nosniff', '1'],
  )
})

test('a client that waits for a slow answer receives signs of progress', async (t) => {
  let [told, answer] = [0, (): void => undefined]
  const done = new Promise<void>((resolve) => (answer = resolve))
  const slow: Handler = () => done.then((): Answer => ({ status: 200, text: 'at last' }))
  const { ask } = await serve(t, { 'GET /slow': slow }, { workingMs: 10 })
  const asked = ask('/slow', 'GET', undefined, () => {
    told++
    if (told === 3) answer()
  })
  t.is(await text(await asked), 'at last')
  t.true(told >= 3)
})
