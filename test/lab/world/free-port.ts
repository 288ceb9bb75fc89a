// Ports of loopback for what a test starts on this machine itself.
import { createServer } from 'node:net'

const handedOut = new Set<number>()

/**
 * A port of 127.0.0.1 that was free a moment ago, never the same twice. Below the range of ephemeral ports
 * (net.ipv4.ip_local_port_range), so that no outgoing connection takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    if (handedOut.has(port)) continue
    handedOut.add(port)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server
        .once('error', () => {
          resolve(false)
        })
        .listen(port, '127.0.0.1', () => {
          resolve(true)
        })
    })
    if (free) await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}
