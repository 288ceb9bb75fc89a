// An HTTP server that strangers may reach: how many connections it keeps, and how long a request may take to come.
// Invariant: whoever connects gets in; who makes room is one that asks nothing, of the address with the most connections, so that
// a flood of half requests does not keep a monitoring system out.
import { type RequestListener, type Server, createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Log } from './log.ts'

/** So many connections are kept. */
const MOST_CONNECTIONS = 256

/** What Node bounds a connection by. Milliseconds, and bytes. */
const LIMITS = {
  /** How long the head of a request, and all of it, may take to come; how often that is looked at. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2000,
  /** How long a connection may stay between two requests. */
  keepAliveTimeout: 5000,
  maxHeaderSize: 8192,
}

/** What bounds a server beside that. */
export interface ServerBounds {
  readonly connections: number
  /** Told whenever a connection had to make room for another. */
  readonly crowded: () => void
}

/** Between two lines that say so. Milliseconds. */
const TOLD_MS = 60_000

/** Tells of a crowd in the log, once a minute. */
export function crowdIn(log: Pick<Log, 'warn'>, where: string): () => void {
  let [count, toldAt] = [0, Number.NEGATIVE_INFINITY]
  return () => {
    count++
    if (performance.now() - toldAt < TOLD_MS) return
    toldAt = performance.now()
    log.warn(`${where}: more than ${MOST_CONNECTIONS} connections: ${count} closed that asked nothing, for others`)
    count = 0
  }
}

/** A server that answers one request at a time on each connection. */
export function boundedServer(serve: RequestListener, bounds: Partial<ServerBounds> = {}): Server {
  const { connections: most = MOST_CONNECTIONS, crowded = () => undefined } = bounds
  const connections = new Connections()
  const server = createServer(LIMITS, (request, response) => {
    const { socket } = request
    // One read of a socket can hold thousands of requests that are sent ahead of their turn.
    if (connections.asking.has(socket)) return void socket.destroy()
    if (socket.destroyed) return
    connections.asking.add(socket)
    response.once('close', () => connections.asking.delete(socket))
    serve(request, response)
  })
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    if (connections.count <= most) return
    crowded()
    connections.cutOneFor(socket)
  })
  // Taking a connection can fail at any time, for want of descriptors say: whoever asked sees it, and may ask again.
  server.on('error', () => undefined)
  // Should never be met: it turns away who comes, whoever that is.
  server.maxConnections = most * 2
  return server
}

/** The connections of a server. */
class Connections {
  /** Those with a request that is being answered. */
  readonly asking = new Set<Socket>()
  /** By the address they come from, oldest first; all of a Unix socket are of one. */
  readonly #open = new Map<string, Set<Socket>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  add(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const same = this.#open.get(address) ?? new Set()
    this.#open.set(address, same.add(socket))
    this.#count++
    socket.once('close', () => this.#leave(socket, address))
  }

  /** Cuts off one that is not the newcomer. */
  cutOneFor(newcomer: Socket): void {
    const [address, sockets] = [...this.#open].reduce((most, one) => (one[1].size > most[1].size ? one : most))
    const victim = this.#mostDispensable([...sockets].filter((socket) => socket !== newcomer))
    if (victim === undefined) return
    this.#leave(victim, address)
    victim.destroy()
  }

  /** The oldest that asks nothing, else who has most to read, else the oldest. */
  #mostDispensable(sockets: readonly Socket[]): Socket | undefined {
    const idle = sockets.find((socket) => !this.asking.has(socket))
    const unread = sockets.reduce((most, { writableLength }) => Math.max(most, writableLength), 0)
    return idle ?? sockets.find(({ writableLength }) => writableLength === unread)
  }

  #leave(socket: Socket, address: string): void {
    const same = this.#open.get(address)
    if (same?.delete(socket) !== true) return
    this.#count--
    if (same.size === 0) this.#open.delete(address)
  }
}
