// Processor time of a daemon that has nothing to do but its audits.
import { timedStart } from './daemon.ts'
import type { Measurement } from './figure.ts'
import { cpuMs } from './proc.ts'
import { onStage } from './stage.ts'

/** What follows a start is over by then. Milliseconds. */
const SETTLED = 12_000

export const rest: Measurement = {
  name: 'rest',
  measure(quick) {
    const [peers, span] = quick ? [2_000, 20_000] : [10_000, 60_000]
    return onStage(peers, async (stage) => {
      const { daemon } = await timedStart(await stage.host(), peers)
      await pause(SETTLED)
      const [before, began] = [cpuMs(daemon.pid), performance.now()]
      await pause(span)
      const used = ((cpuMs(daemon.pid) - before) / (performance.now() - began)) * 100
      await daemon.stop()
      const at = `${peers.toLocaleString('en')} peers`
      const what = 'CPU at rest, audits included'
      return [{ what, at, unit: '% of a core', measured: used, goal: { of: 'measured', most: 0.5 } }]
    })
  },
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
