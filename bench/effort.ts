// What one start at 10,000 peers costs: processor time of the daemon, and requests to etcd.
import { timedStart } from './daemon.ts'
import type { Figure, Measurement } from './figure.ts'
import { type Stage, onStage } from './stage.ts'
import { median } from './statistics.ts'

export const effort: Measurement = {
  name: 'effort',
  measure(quick) {
    const peers = quick ? 2_000 : 10_000
    return onStage(peers, (stage) => measure(stage, peers, quick ? 1 : 5))
  },
}

async function measure(stage: Stage, peers: number, times: number): Promise<readonly Figure[]> {
  const [cpu, requests]: [number[], number[]] = [[], []]
  let ranges = 0
  for (let i = 0; i < times; i++) {
    const host = await stage.host()
    const before = await requestsOf(stage)
    const start = await timedStart(host, peers + i)
    const after = await requestsOf(stage)
    await start.daemon.stop()
    cpu.push(start.cpu)
    requests.push(total(after) - total(before))
    ranges = (after.get('Range') ?? 0) - (before.get('Range') ?? 0)
  }
  const at = `${peers.toLocaleString('en')} peers`
  return [
    { what: 'CPU to converge', at, unit: 'ms', measured: median(cpu), goal: { of: 'measured', most: 1200 } },
    {
      what: `etcd requests of one start (${ranges} of them reads)`,
      at,
      unit: '',
      measured: median(requests),
      // One listing in pages of 1,000 keys, and what an empty cluster takes as well.
      goal: { of: 'measured', most: Math.ceil((peers + 1) / 1_000) + 8 },
    },
  ]
}

/** Calls that etcd began to serve, by method. */
async function requestsOf({ etcd }: Stage): Promise<ReadonlyMap<string, number>> {
  const request = `exec 3<>/dev/tcp/127.0.0.1/2379; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`
  const counts = new Map<string, number>()
  for (const line of (await etcd.run('timeout 5 bash -s', request)).split('\n')) {
    const [, method, count] = /^grpc_server_started_total\{grpc_method="(\w+)".* (\d\S*)\r?$/.exec(line) ?? []
    if (method !== undefined) counts.set(method, (counts.get(method) ?? 0) + Number(count))
  }
  if (counts.size === 0) throw new Error('etcd: no metrics')
  return counts
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}
