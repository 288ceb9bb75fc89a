// Resident memory once the daemon has come to rest: after its second audit and after it gave back what starting needed.
import { timedStart } from './daemon.ts'
import type { Figure, Measurement } from './figure.ts'
import { residentMB } from './proc.ts'
import { onStage } from './stage.ts'

/** Peers and the goal in MB. */
const GOALS = [
  [0, 60],
  [1_000, 62],
  [10_000, 75],
  [60_000, 130],
] as const
/** Audits come every 10 s, the first memory is given back 2 s after the start. Milliseconds. */
const SETTLED = 25_000

export const memory: Measurement = {
  name: 'memory',
  async measure(quick) {
    const goals = quick ? GOALS.slice(0, 2) : GOALS
    const all = goals.map(([peers, most]) => memoryOn(peers, most))
    return (await Promise.all(all)).flat()
  },
}

function memoryOn(peers: number, most: number): Promise<readonly Figure[]> {
  return onStage(peers, async (stage) => {
    const { daemon } = await timedStart(await stage.host(), peers)
    await new Promise((resolve) => setTimeout(resolve, SETTLED))
    const { all, own } = residentMB(daemon.pid)
    await daemon.stop()
    const at = `${peers.toLocaleString('en')} peers`
    return [
      { what: 'resident memory, VmRSS', at, unit: 'MB', measured: all, goal: { of: 'measured', most } },
      { what: 'resident memory, RssAnon', at, unit: 'MB', measured: own },
    ]
  })
}
