// A TCP proxy whose answers come late, each by the same time: an etcd that answers everything, but seconds after it was asked.
// Run by itself: node slow-proxy.ts PORT TARGET-PORT MILLISECONDS
import { type AddressInfo, connect, createServer } from 'node:net'

/** Starts one in front of a port of 127.0.0.1. */
export async function startSlowProxy(
  target: number,
  milliseconds: number,
  port = 0,
): Promise<{ readonly port: number; connections(): number; close(): void }> {
  const open = new Set<{ destroy(): void }>()
  let connections = 0
  const server = createServer((near) => {
    connections++
    const far = connect(target, '127.0.0.1')
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => open.delete(socket))
    }
    near.pipe(far)
    near.on('close', () => far.destroy())
    far.on('data', (bytes) => setTimeout(() => near.destroyed || near.write(bytes), milliseconds))
    far.on('close', () => setTimeout(() => near.end(), milliseconds))
  })
  await new Promise<void>((resolve) => server.listen(port, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

if (import.meta.main) {
  const [port, target, milliseconds] = process.argv.slice(2).map(Number)
  await startSlowProxy(target ?? 0, milliseconds ?? 0, port)
  console.log('listening')
}
