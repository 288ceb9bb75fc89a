// What the daemon found by probing: asked on its control socket, and waited for.
import { askControl } from '../../../src/http/control-socket.ts'
import type { HappenedEvent } from '../../../src/health/events.ts'
import type { PathView } from '../../../src/control/path-route.ts'
import type { Node } from '../scenarios/cluster.ts'
import type { Host } from '../world/lab.ts'
import { waitFor } from './wait.ts'

/** How a peer is doing, and how it can be reached, as the daemon of `host` sees it. `to`: an address of the peer. */
export async function pathOf(host: Host, to: string): Promise<PathView> {
  const socket = `/proc/${host.pid}/root/run/flannel/flanneld.sock`
  return (await askControl(socket, `GET /v1/path?to=${to}`)) as PathView
}

/** What a daemon told of its probes. */
export async function probeEvents(host: Host): Promise<readonly HappenedEvent[]> {
  const socket = `/proc/${host.pid}/root/run/flannel/flanneld.sock`
  const events = (await askControl(socket, 'GET /v1/events?follow=false')) as readonly HappenedEvent[]
  return events.filter(({ kind }) => kind === 'probe')
}

/** A minute: five times what is promised, since the machine may be busy. */
const FOUND_MS = 60_000

/** What is looked for. */
type Wanted = Partial<NonNullable<PathView['health']>>

/** Waits until a node sees another one so, or the one with this subnet; the health then, and the milliseconds since the call. */
export async function waitForHealth(
  from: Pick<Node, 'host' | 'daemon'>,
  to: Pick<Node, 'subnet'> | string,
  wanted: Wanted,
): Promise<NonNullable<PathView['health']> & { readonly ms: number }> {
  const began = performance.now()
  let last: PathView['health'] = null
  const matches = async (): Promise<PathView['health'] | false> => {
    last = (await pathOf(from.host, typeof to === 'string' ? to : `${to.subnet}.0`)).health
    return (
      last !== null && Object.entries(wanted).every(([key, value]) => last?.[key as keyof Wanted] === value) && last
    )
  }
  const health = await waitFor(JSON.stringify(wanted), matches, FOUND_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${JSON.stringify(last)}\n${from.daemon.output()}`)
  })
  if (health === null) throw new Error('bug: health without value')
  return { ...health, ms: Math.round(performance.now() - began) }
}

/** Has a host lose so many percent of what it receives, at random. */
export function losePackets(percent: number): string {
  return `nft 'add table ip lossy
    add counter ip lossy lost
    add chain ip lossy input { type filter hook prerouting priority -400; }
    add rule ip lossy input iifname enp0s3 numgen random mod 100 < ${percent} counter name lost drop'`
}

/** How many packets a lossy host has lost. */
export async function lostPackets(host: Host): Promise<number> {
  return Number(/packets (\d+)/.exec(await host.run('nft list counter ip lossy lost'))?.[1] ?? 0)
}
