// A time limit on making a connection, which grpc-js has not: it waits as long as TCP does (two minutes for a host that is
// gone, for ever for a frozen etcd), and every caller waits with it.
// Invariant: a socket to a guarded port that has not brought one byte within the limit is destroyed; others are left alone.
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Milliseconds from the start of a connection to the first byte: TLS's hello, or HTTP/2's settings. */
const LIMIT = 4_000

const guarded = new Set<number>()

/** From now on connections to these TCP ports that stay silent are given up, in the whole process. */
export function limitHandshakes(ports: Iterable<number>): void {
  // grpc-js makes its sockets itself; this channel is where Node shows them (diagnostics_channel, `net.client.socket`).
  if (guarded.size === 0)
    subscribe('net.client.socket', (message) => watchSocket((message as { socket: Socket }).socket))
  for (const port of ports) guarded.add(port)
}

function watchSocket(socket: Socket): void {
  socket.once('connectionAttempt', (address: string, port: number) => {
    if (!guarded.has(port)) return
    const timer = setTimeout(() => {
      if (socket.bytesRead === 0) socket.destroy(new Error(`no answer from ${address}:${port} in ${LIMIT / 1_000} s`))
    }, LIMIT)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  })
}
