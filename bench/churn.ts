// Whether memory grows with changes: 20 times all of 10,000 peers change their public address.
import { waitFor } from '../test/lab/instruments/wait.ts'
import { timedStart } from './daemon.ts'
import type { Measurement } from './figure.ts'
import { KernelWatch } from './kernel-watch.ts'
import { residentMB } from './proc.ts'
import { onStage } from './stage.ts'
import { slope } from './statistics.ts'

/** Milliseconds without a notification after which a cycle is over. */
const QUIET = 400
/** Milliseconds after which the start is over. */
const SETTLED = 23_000
/** Cycles that the slope is taken of: the last ones. */
const LAST = 8

export const churn: Measurement = {
  name: 'churn',
  measure(quick) {
    const [peers, cycles] = quick ? [1_000, 10] : [10_000, 20]
    return onStage(peers, async (stage) => {
      const host = await stage.host()
      const { daemon } = await timedStart(host, peers)
      // Until memory has been given back twice, which would look like shrinking; the next time is a minute after the start.
      await new Promise((resolve) => setTimeout(resolve, SETTLED))
      const kernel = new KernelWatch(host.pid)
      const resident: number[] = []
      for (let cycle = 1; cycle <= cycles; cycle++) {
        const before = kernel.notifications
        await stage.fill(peers, 0, cycle)
        const quiet = (): boolean => kernel.notifications - before >= peers && performance.now() - kernel.lastAt > QUIET
        await waitFor(`cycle ${cycle} to be programmed`, quiet, 60_000)
        resident.push(residentMB(daemon.pid).all)
      }
      kernel.close()
      await daemon.stop()
      const last = resident.slice(-LAST)
      const growth = (slope(last) / (last[0] ?? 1)) * 100
      const at = `${cycles} x ${peers.toLocaleString('en')} changes`
      const what = `memory growth per cycle (${Math.max(...resident).toFixed(0)} MB at most)`
      return [{ what, at, unit: '%', measured: growth, goal: { of: 'measured', most: 2 } }]
    })
  },
}
