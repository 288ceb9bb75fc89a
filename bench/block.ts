// The longest time the event loop took no turn, from the first line of the program on, until well after the start.
import { NODE_FLAGS } from '../scripts/bundle.ts'
import { ROOT } from '../test/lab/actors/flanneld.ts'
import { timedStart } from './daemon.ts'
import type { Measurement } from './figure.ts'
import { onStage } from './stage.ts'
import { median } from './statistics.ts'

/** Two audits. Milliseconds. */
const WATCHED = 22_000

export const block: Measurement = {
  name: 'block',
  measure(quick) {
    const [peers, times] = quick ? [2_000, 1] : [60_000, 2]
    return onStage(peers, async (stage) => {
      const longest: number[] = []
      for (let i = 0; i < times; i++) {
        const recorder = `--require ${ROOT}/bench/block-recorder.cjs`
        const program = `${process.execPath} ${NODE_FLAGS.join(' ')} ${recorder} ${ROOT}/bench/cached-program.cjs`
        const { daemon } = await timedStart(await stage.host(), peers + i, program)
        await new Promise((resolve) => setTimeout(resolve, WATCHED))
        await daemon.stop()
        const line = await daemon.line(/^event loop: longest/)
        longest.push(Number(/longest (\S+)/.exec(line)?.[1]))
      }
      const at = `${peers.toLocaleString('en')} peers`
      const what = 'longest block of the event loop'
      return [{ what, at, unit: 'ms', measured: median(longest), goal: { of: 'measured', most: 50 } }]
    })
  },
}
