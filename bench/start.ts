// From the start of the single file to subnet.env, in an empty cluster; the limit is Node doing nothing.
import type { Figure, Measurement } from './figure.ts'
import { timedStart } from './daemon.ts'
import { type Stage, onStage } from './stage.ts'
import { median } from './statistics.ts'

export const start: Measurement = { name: 'start', measure: (quick) => onStage(0, (stage) => measure(stage, quick)) }

async function measure(stage: Stage, quick: boolean): Promise<readonly Figure[]> {
  const [ours, bare]: [number[], number[]] = [[], []]
  for (let i = 0; i < (quick ? 5 : 9); i++) {
    const host = await stage.host()
    const began = performance.now()
    await host.run(`exec ${process.execPath} -e 0`)
    bare.push(performance.now() - began)
    ours.push(await emptyStart(stage))
  }
  return [
    {
      what: 'start to subnet.env',
      at: 'empty cluster',
      unit: 'ms',
      measured: median(ours),
      limit: median(bare),
      limitIs: 'node -e 0',
      goal: { of: 'ratio', most: 3 },
    },
  ]
}

/** Milliseconds to subnet.env on a fresh host that is alone. */
export async function emptyStart(stage: Stage): Promise<number> {
  await stage.etcd.etcdctl('del --prefix /docker-test/network/subnets/')
  const { daemon, subnetEnv } = await timedStart(await stage.host(), 0)
  await daemon.stop()
  return subnetEnv
}
