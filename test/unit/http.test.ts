// Events over HTTP: to somebody who reads, and to somebody who does not.
import test, { type ExecutionContext } from 'ava'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type Handler, serveRoutes } from '../../src/http.ts'
import { waitFor } from '../lab/wait.ts'

async function serve(t: ExecutionContext, handler: Handler): Promise<number> {
  const server = createServer(serveRoutes(new Map([['GET /events', handler]])))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

test('who follows events without reading is cut off, so that what waits for it stays bounded', async (t) => {
  let [sent, over] = [0, false]
  const port = await serve(t, () => ({
    events(send, gone) {
      gone.addEventListener('abort', () => (over = true))
      const more = (): void => {
        if (over) return
        send('x'.repeat(1 << 20))
        sent++
        setImmediate(more)
      }
      more()
    },
  }))
  const reader = connect(port, '127.0.0.1')
  t.teardown(() => reader.destroy())
  reader.on('error', () => undefined).pause()
  reader.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n')
  await waitFor('the end', () => over)
  // Besides ours the kernel holds some for it.
  t.true(sent < 64, `${sent} MiB`)
})

test('headers of an answer are its own, beside those of all', async (t) => {
  const port = await serve(t, () => ({ status: 200, text: 'a', type: 'text/x', headers: { 'x-own': 'b' } }))
  const answer = await fetch(`http://127.0.0.1:${port}/events`)
  t.deepEqual(
    ['content-type', 'x-own', 'cache-control', 'x-content-type-options'].map((name) => answer.headers.get(name)),
    ['text/x', 'b', 'no-store', 'nosniff'],
  )
})
