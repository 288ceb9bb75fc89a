// The control socket: HTTP and JSON over a Unix socket beside subnet.env, by which `flanneld status` asks the running daemon.
// Invariant: it only answers; mode 0660; the file is gone when the daemon has stopped, one left by a killed daemon is replaced.
import { chmodSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

/** How long an answer may take. Milliseconds. */
const ANSWER_MS = 3000

/** Where the daemon of a subnet file listens: flanneld.sock beside the usual one, so that two daemons do not meet. */
export function controlPath(subnetFile: string): string {
  const name = basename(subnetFile)
  return join(dirname(subnetFile), name === 'subnet.env' ? 'flanneld.sock' : `${name}.sock`)
}

/** Answers GET /v1/status until the signal aborts. Without a socket the daemon goes on, and says so. */
export async function serveControl(path: string, status: () => unknown, log: Log, signal: AbortSignal): Promise<void> {
  const server = createServer((asked, answer) => {
    const known = asked.method === 'GET' && asked.url === '/v1/status'
    answer.writeHead(known ? 200 : 404, { 'content-type': 'application/json' })
    answer.end(`${JSON.stringify(known ? status() : { error: 'there is GET /v1/status' })}\n`)
  })
  try {
    await mkdir(dirname(path), { recursive: true })
    await rm(path, { force: true })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
    chmodSync(path, 0o660)
  } catch (error) {
    log.warn(`control socket: ${path}: ${messageOf(error)}; flanneld status will not find this daemon`)
    return
  }
  signal.addEventListener('abort', () => {
    // Closing removes the file.
    server.close()
    server.closeAllConnections()
  })
}

/** What the daemon behind a socket answers; undefined when none does. */
export function askControl(path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const asking = request({ socketPath: path, path: '/v1/status', timeout: ANSWER_MS }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => {
        try {
          resolve(JSON.parse(text))
        } catch {
          resolve(undefined)
        }
      })
    })
    asking.on('timeout', () => asking.destroy())
    asking.on('error', () => resolve(undefined))
    asking.end()
  })
}
