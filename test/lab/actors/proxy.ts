// A TCP proxy on loopback that fails on demand: between a client and etcd it cuts, swallows and refuses.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'

/** A proxy in front of `target`. */
export interface Proxy {
  readonly port: number
  /** Connections made through it so far. */
  connections(): number
  /** Resets every connection; new ones pass. */
  cut(): void
  /** Swallows what the present connections send, either way and without a word; new ones pass unless `all`. */
  blackHole(all?: boolean): void
  /** Resets every connection and refuses new ones. */
  refuse(): Promise<void>
  /** Lets connections pass again (those swallowed stay so). */
  pass(): Promise<void>
  close(): Promise<void>
}

/** Starts a proxy for a port of 127.0.0.1. */
export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let connections = 0
  let swallow = false
  const server = createServer((near) => {
    connections++
    const far = connect(target, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    if (swallow) muffle(pair)
    else near.pipe(far).pipe(near)
  })
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
    pairs.clear()
  }
  const stop = (): Promise<void> => {
    const closed = new Promise<void>((resolve) =>
      server.close(() => {
        resolve()
      }),
    )
    cut()
    return closed
  }
  return {
    port,
    connections: () => connections,
    cut,
    blackHole(all = false) {
      swallow = all
      for (const pair of pairs) muffle(pair)
    },
    refuse: stop,
    async pass() {
      swallow = false
      if (!server.listening) await listen(port)
    },
    close: stop,
  }
}

function muffle([near, far]: readonly [Socket, Socket]): void {
  for (const socket of [near, far]) {
    socket.unpipe()
    socket.resume()
  }
}
