// From the start of the daemon to the last of many peers' entries, less an empty start; the limit is iproute2's batches.
import { emptyStart } from './start.ts'
import { batchTime } from './batch.ts'
import { timedStart } from './daemon.ts'
import type { Figure, Measurement } from './figure.ts'
import { type Stage, onStage } from './stage.ts'
import { median } from './statistics.ts'

/** Peers, and how often. */
const FULL = [
  [1_000, 7],
  [10_000, 5],
  [60_000, 3],
] as const
const QUICK = [
  [1_000, 3],
  [5_000, 2],
] as const

export const converge: Measurement = {
  name: 'converge',
  measure: (quick) =>
    onStage(0, async (idle) => {
      const figures: Figure[] = []
      for (const [peers, times] of quick ? QUICK : FULL) figures.push(await convergeOn(peers, times, idle))
      const [small, large] = figures.slice(-2)
      if (quick || small === undefined || large === undefined) return figures
      const measured = large.measured / small.measured
      const growth = { what: 'the same, growth', at: '60,000 : 10,000', unit: 'x', measured }
      return [...figures, { ...growth, goal: { of: 'measured', most: 7 } }]
    }),
}

/** Starts compared with empty starts (on the stage `idle`) and batches, one after the other: what disturbs one disturbs all. */
function convergeOn(peers: number, times: number, idle: Stage): Promise<Figure> {
  return onStage(peers, async (stage) => {
    const [empty, ours, batches]: [number[], number[], number[]] = [[], [], []]
    for (let i = 0; i < times; i++) {
      batches.push(await batchTime(await stage.host(), peers))
      empty.push(await emptyStart(idle))
      const { daemon, programmed } = await timedStart(await stage.host(), peers + i)
      ours.push(programmed)
      await daemon.stop()
    }
    return {
      what: 'last entry, less that start',
      at: `${peers.toLocaleString('en')} peers`,
      unit: 'ms',
      measured: median(ours) - median(empty),
      limit: median(batches),
      limitIs: 'ip -batch, bridge -batch, nexthop objects',
      goal: { of: 'ratio', most: 2 },
    }
  })
}
