// Runs in etcd's network: puts leases at a steady pace and notes when a bare watcher received each, and when its route was
// in the kernel of a daemon's host: `node bench/latency-probe.ts ENDPOINT PREFIX FROM COUNT HOSTPID`. Prints JSON.
import { openStore } from '../src/etcd/client.ts'
import { readRoute } from '../src/netlink/route.ts'
import * as nl from '../src/netlink/constants.ts'
import { waitFor } from '../test/lab/instruments/wait.ts'
import { KernelWatch, ROUTES } from './kernel-watch.ts'
import { madeUpPeer, peerLease } from './peer-lease.ts'

/** Milliseconds between two puts. */
const PACE = 10

const [endpoint = '', prefix = '', from = '0', count = '0', pid = '0'] = process.argv.slice(2)
const stop = new AbortController()
const put = new Map<string, number>()
const received = new Map<string, number>()
const routed = new Map<string, number>()

const kernel = new KernelWatch(Number(pid), {
  only: ROUTES,
  visit(message) {
    if (message.type !== nl.RTM_NEWROUTE) return
    const destination = readRoute(message)?.destination
    if (destination !== undefined && !routed.has(destination)) routed.set(destination, performance.now())
  },
})
const watcher = openStore({ endpoints: [endpoint] })
const writer = openStore({ endpoints: [endpoint] })
let watching = false
const listening = (async () => {
  for await (const step of watcher.watch(`${prefix}/subnets/`, stop.signal)) {
    watching = true
    if (step.type !== 'changes') continue
    for (const change of step.changes) if (change.type === 'put') received.set(change.entry.key, performance.now())
  }
})()
const lease = await writer.grant(86_400)
await waitFor('the watcher', () => watching, 60_000)
await new Promise((resolve) => setTimeout(resolve, 500))

const peers = Array.from({ length: Number(count) }, (_, i) => ({
  subnet: madeUpPeer(Number(from) + i).subnet,
  ...peerLease(prefix, Number(from) + i),
}))
const began = performance.now()
for (const [i, { key, value }] of peers.entries()) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + i * PACE - performance.now())))
  put.set(key, performance.now())
  await writer.commit([], [{ type: 'put', key, value, lease }])
}
const complete = (): boolean => received.size >= peers.length && peers.every(({ subnet }) => routed.has(subnet))
await waitFor('all routes', complete, 15_000).catch(() => undefined)
stop.abort()
await listening
watcher.close()
writer.close()
kernel.close()
const missed = peers.filter(({ key, subnet }) => !received.has(key) || !routed.has(subnet)).length
const since = (key: string, at: number | undefined): number => (at ?? Number.NaN) - (put.get(key) ?? Number.NaN)
process.stdout.write(
  JSON.stringify({
    missed,
    received: peers.map(({ key }) => since(key, received.get(key))),
    routed: peers.map(({ key, subnet }) => since(key, routed.get(subnet))),
  }),
)
