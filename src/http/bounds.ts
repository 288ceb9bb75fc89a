// An HTTP server that strangers may reach: how many connections it keeps, and how long a request may take to come.
// Invariant: a new connection is always accepted; the one closed for it is one that asks nothing, of the asker with the most connections, so that
// a flood of half requests, from however many addresses, does not keep a monitoring system out.
import { type RequestListener, type Server, createServer } from 'node:http'
import type { Socket } from 'node:net'
import { askerOf } from './askers.ts'
import type { Log } from '../log.ts'

/** The most connections that are kept. */
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

/** Further bounds of a server. */
export interface ServerBounds {
  readonly connections: number
  /** Called whenever a connection was closed to make room for another. */
  readonly crowded: () => void
}

/** Between two lines that say so. Milliseconds. */
const TOLD_MS = 60_000

/** Reports too many connections in the log, once a minute. */
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
  const connections = new Connections(most / 8)
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
  // Taking a connection can fail at any time, e.g. for want of descriptors: the client sees it, and may ask again.
  server.on('error', () => undefined)
  // Should never be reached: it turns away every newcomer.
  server.maxConnections = most * 2
  return server
}

/** The connections of a server. */
class Connections {
  /** Those with a request that is being answered. */
  readonly asking = new Set<Socket>()
  /** By who asks, oldest first. */
  readonly #open = new Map<string, Set<Socket>>()
  readonly #fair: number
  #count = 0

  /** An asker with more than `fair` connections makes room before all others, whatever it asks. */
  constructor(fair: number) {
    this.#fair = fair
  }

  get count(): number {
    return this.#count
  }

  add(socket: Socket): void {
    const asker = askerOf(socket.remoteAddress)
    const same = this.#open.get(asker) ?? new Set()
    this.#open.set(asker, same.add(socket))
    this.#count++
    socket.once('close', () => {
      this.#leave(socket, asker)
    })
  }

  /** Cuts off one that is not the newcomer. */
  cutOneFor(newcomer: Socket): void {
    const shares = [...this.#open].sort(([, a], [, b]) => b.size - a.size)
    const isIdle = (socket: Socket): boolean => socket !== newcomer && !this.asking.has(socket)
    // Who has many is cut first; of many who have few, one that asks nothing.
    const first = shares.find(([, same]) => same.size > this.#fair || [...same].some(isIdle)) ?? shares[0]
    if (first === undefined) return
    const [asker, same] = first
    const victim = [...same].find(isIdle) ?? mostUnread([...same].filter((socket) => socket !== newcomer))
    if (victim === undefined) return
    this.#leave(victim, asker)
    victim.destroy()
  }

  #leave(socket: Socket, asker: string): void {
    const same = this.#open.get(asker)
    if (same?.delete(socket) !== true) return
    this.#count--
    if (same.size === 0) this.#open.delete(asker)
  }
}

/** Who has most to read, of equals the oldest. */
function mostUnread(sockets: readonly Socket[]): Socket | undefined {
  const unread = sockets.reduce((most, { writableLength }) => Math.max(most, writableLength), 0)
  return sockets.find(({ writableLength }) => writableLength === unread)
}
