// Many hosts start at once, each a real daemon in a namespace of its own; the limit is one of them alone.
import { SINGLE_FILE } from '../test/lab/actors/flanneld.ts'
import type { Host } from '../test/lab/world/lab.ts'
import { waitFor } from '../test/lab/instruments/wait.ts'
import type { Measurement } from './figure.ts'
import { onStage } from './stage.ts'
import { ARGS } from '../test/lab/world/network.ts'

/**
 * Namespaces share the kernel's neighbour table: 1,024 entries (arp(7), gc_thresh3) for what would be a hundred machines. A
 * hundred that probe each other fill it, and then no one reaches etcd.
 */
const PROGRAM = `${SINGLE_FILE} -probe-interval=0`

/** Milliseconds that two cores may take for a hundred. */
const DEADLINE = 180_000

export const crowd: Measurement = {
  name: 'crowd',
  measure(quick) {
    const size = quick ? 20 : 100
    return onStage(0, async (stage) => {
      const hosts: Host[] = []
      while (hosts.length <= size) hosts.push(await stage.host())
      const [first, ...others] = hosts
      const one = await startAll(first === undefined ? [] : [first])
      const all = await startAll(others)
      const leases = await stage.etcd.leases()
      if (new Set(leases).size !== hosts.length)
        throw new Error(`crowd: ${leases.length} leases of ${hosts.length} hosts`)
      for (const host of hosts) {
        const routes = async (): Promise<boolean> =>
          Number(await host.run('ip route show proto 142 | grep -vc ^black')) === size
        await waitFor(`${host.name} to know all ${size} others`, routes, 30_000)
      }
      return [
        {
          what: 'hosts starting at once, all ready',
          at: `${size} hosts`,
          unit: 'ms',
          measured: all,
          limit: one,
          limitIs: 'one host',
        },
      ]
    })
  },
}

/** Milliseconds until every daemon is ready. */
async function startAll(hosts: readonly Host[]): Promise<number> {
  const began = performance.now()
  const daemons = await Promise.all(hosts.map((host) => host.spawn(`${PROGRAM} ${ARGS}`)))
  await Promise.all(daemons.map((daemon) => daemon.line(/ready: /, DEADLINE)))
  return performance.now() - began
}
