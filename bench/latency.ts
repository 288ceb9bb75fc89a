// From a put in etcd to the route in the kernel; the limit is when a bare watcher of etcd receives it, in the same run.
import { ROOT } from '../test/lab/actors/flanneld.ts'
import { start } from '../test/lab/world/process.ts'
import { timedStart } from './daemon.ts'
import type { Figure, Measurement } from './figure.ts'
import { onStage } from './stage.ts'
import { percentile } from './statistics.ts'
import { PREFIX } from '../test/lab/world/network.ts'

export const latency: Measurement = {
  name: 'latency',
  async measure(quick) {
    const figures: Figure[] = []
    for (const peers of quick ? [1_000] : [1_000, 10_000])
      figures.push(...(await latencyOn(peers, quick ? 300 : 1_000)))
    return figures
  },
}

function latencyOn(peers: number, events: number): Promise<readonly Figure[]> {
  return onStage(peers, async (stage) => {
    const host = await stage.host()
    const { daemon } = await timedStart(host, peers)
    const { missed, received, routed } = await probe(stage.etcd.pid, peers, events, host.pid)
    await daemon.stop()
    if (missed > 0) throw new Error(`latency: ${missed} of ${events} events missed\n${daemon.output().slice(-2000)}`)
    const figure = (share: number, most: number): Figure => ({
      what: `put to route, p${share * 100} of ${events.toLocaleString('en')}, none missed`,
      at: `${peers.toLocaleString('en')} peers`,
      unit: 'ms',
      measured: percentile(routed, share),
      limit: percentile(received, share),
      limitIs: 'put to bare watcher',
      goal: { of: 'ratio', most },
    })
    return [figure(0.5, 2), figure(0.99, 5)]
  })
}

interface Probed {
  readonly missed: number
  readonly received: readonly number[]
  readonly routed: readonly number[]
}

/** Runs the probe in etcd's network, with this machine's /proc, where it finds the daemon's network. */
async function probe(etcdPid: number, from: number, count: number, hostPid: number): Promise<Probed> {
  const words = [`${ROOT}/bench/latency-probe.ts`, 'http://127.0.0.1:2379', PREFIX, from, count, hostPid].map(String)
  const running = await start(['nsenter', '-t', String(etcdPid), '-n', process.execPath, ...words], false)
  if ((await running.exit).code !== 0) throw new Error(`latency: ${running.output()}`)
  return JSON.parse(running.stdout()) as Probed
}
