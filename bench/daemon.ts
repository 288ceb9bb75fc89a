// A daemon started on a host with a clock in hand.
import { type FSWatcher, watch } from 'node:fs'
import { SINGLE_FILE } from '../test/lab/actors/flanneld.ts'
import type { Host } from '../test/lab/world/lab.ts'
import type { Running } from '../test/lab/world/process.ts'
import { waitFor } from '../test/lab/instruments/wait.ts'
import { KernelWatch, ROUTES } from './kernel-watch.ts'
import { cpuMs } from './proc.ts'
import { ARGS } from '../test/lab/world/network.ts'

/** How a start went; times in milliseconds from the moment the program was asked for. */
export interface Start {
  readonly daemon: Running
  readonly subnetEnv: number
  /** The last route of all peers was in the kernel; that of subnet.env without peers. */
  readonly programmed: number
  /** CPU used when it said it was ready. */
  readonly cpu: number
}

/** How long the largest start may take. Milliseconds. */
const DEADLINE = 120_000

/** Starts the daemon where `peers` leases await it. Rejects when the kernel ends up with anything else. */
export async function timedStart(host: Host, peers: number, program = SINGLE_FILE): Promise<Start> {
  const kernel = new KernelWatch(host.pid, { only: ROUTES })
  const file = new FileAppears(`/proc/${host.pid}/root/run/flannel`, 'subnet.env')
  try {
    const began = performance.now()
    const daemon = await host.spawn(`${program} ${ARGS}`)
    await daemon.line(/ready: /, DEADLINE)
    const cpu = cpuMs(daemon.pid)
    const subnetEnv = file.at - began
    if (peers === 0) return { daemon, subnetEnv, programmed: subnetEnv, cpu }
    await waitFor(`${peers} routes`, () => kernel.routes >= peers, DEADLINE)
    await checkEntries(host, peers)
    return { daemon, subnetEnv, programmed: kernel.routeAt - began, cpu }
  } finally {
    kernel.close()
    file.close()
  }
}

/** Rejects unless the kernel has `peers` routes (not counting our blackhole), neighbors and FDB entries. */
async function checkEntries(host: Host, peers: number): Promise<void> {
  const counted = await host.run(`ip route show proto 142 | grep -vc ^blackhole
    ip neigh show dev flannel.1 nud permanent | wc -l
    bridge fdb show dev flannel.1 | grep -c dst`)
  const counts = counted.trim().split('\n').map(Number)
  if (counts.some((count) => count !== peers))
    throw new Error(`${peers} peers, but in the kernel: ${counts.join(', ')}`)
}

/** When a file came to be in a folder. */
class FileAppears {
  at = Number.NaN
  readonly #watcher: FSWatcher

  constructor(folder: string, name: string) {
    this.#watcher = watch(folder, (_, changed) => {
      if (changed === name && Number.isNaN(this.at)) this.at = performance.now()
    })
  }

  close(): void {
    this.#watcher.close()
  }
}
