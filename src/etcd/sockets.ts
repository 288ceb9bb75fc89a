// The TCP connections to etcd as bytes come in on them. grpc-js reports neither when it waits for a connection, which it does as
// long as TCP (two minutes for a host that is gone, for ever for a frozen etcd), nor whether a slow one is alive.
// Invariant: a connection is destroyed only when nothing at all came in on it for as long as it had; others are left alone.
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { Patience } from './patience.ts'

/** Milliseconds from the start of a connection, or from TCP's answer, to the first byte: TLS's hello, HTTP/2's settings. */
const FIRST_BYTE = 4_000
/** That doubles with each failed connection, up to this many milliseconds: SYNs are repeated after 1, 3 and 7 s. */
const FIRST_BYTE_MOST = 10_000
/** grpc-js pings this many milliseconds after the last answer to a ping; etcd refuses less than 5 s (--grpc-keepalive-min-time). */
export const PING_AFTER = 6_000
/** How often is looked whether bytes came in. Milliseconds. */
const LOOK = 1_000

/** All connections of this process to one port, on any host. */
class Port {
  /** How long who uses them waits for answers. */
  readonly users = new Set<Patience>()
  readonly sockets = new Set<Socket>()
  /** Bytes that came in on connections that are closed. */
  #before = 0
  #firstByte = FIRST_BYTE

  received(): number {
    let sum = this.#before
    for (const { bytesRead } of this.sockets) sum += bytesRead
    return sum
  }

  /** Watches a connection that begins. */
  take(socket: Socket, address: string): void {
    this.sockets.add(socket)
    let bytes = 0
    let since = performance.now()
    socket.once('connect', () => (since = performance.now()))
    const timer = setInterval(() => {
      if (socket.bytesRead !== bytes) {
        bytes = socket.bytesRead
        since = performance.now()
        this.#firstByte = FIRST_BYTE
      }
      const silent = performance.now() - since
      if (silent < (bytes === 0 ? this.#firstByte : PING_AFTER + this.#patience())) return
      if (bytes === 0) this.#firstByte = Math.min(FIRST_BYTE_MOST, this.#firstByte * 2)
      socket.destroy(new Error(`no answer from ${address}`))
    }, LOOK)
    timer.unref()
    socket.once('close', () => {
      clearInterval(timer)
      this.#before += socket.bytesRead
      this.sockets.delete(socket)
    })
  }

  #patience(): number {
    return Math.max(0, ...[...this.users].map(({ limit }) => limit))
  }
}

const ports = new Map<number, Port>()

function portOf(number: number): Port {
  // grpc-js makes its sockets itself; this channel is where Node shows them (diagnostics_channel, `net.client.socket`).
  if (ports.size === 0)
    subscribe('net.client.socket', (message) => {
      watchSocket((message as { socket: Socket }).socket)
    })
  const known = ports.get(number) ?? new Port()
  ports.set(number, known)
  return known
}

function watchSocket(socket: Socket): void {
  socket.once('connectionAttempt', (address: string, number: number) => {
    ports.get(number)?.take(socket, `${address.includes(':') ? `[${address}]` : address}:${number}`)
  })
}

/** The connections of one user to some ports. */
export class Sockets {
  readonly #ports: readonly Port[]
  readonly #patience: Patience

  /** From now on this process closes silent connections to these TCP ports. */
  constructor(numbers: readonly number[], patience: Patience) {
    this.#patience = patience
    this.#ports = [...new Set(numbers)].map(portOf)
    for (const { users } of this.#ports) users.add(patience)
  }

  /** Bytes that have come in so far. */
  received(): number {
    return this.#ports.reduce((sum, port) => sum + port.received(), 0)
  }

  /** Whether a connection is being made that has brought nothing yet. */
  connecting(): boolean {
    return this.#ports.some(({ sockets }) => [...sockets].some(({ bytesRead }) => bytesRead === 0))
  }

  /** No longer asks for patience. */
  close(): void {
    for (const { users } of this.#ports) users.delete(this.#patience)
  }
}
