// A reconciler at work over a kernel in memory, for tests.
import type { Peer } from '../../src/backend.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { createLog } from '../../src/log.ts'
import type { Intent } from '../../src/reconcile/intent.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import type { FakeKernel } from './kernel.ts'

/** The parts of a test. */
export interface Reconciling {
  readonly kernel: FakeKernel
  readonly reconciler: Reconciler
  readonly peers: Map<Prefix, Peer>
  readonly lines: string[]
  set(peer: Peer): void
  drop(subnet: Prefix): void
}

/** Runs a reconciler with this intent while `act` acts. */
export async function whileReconciling(
  intent: Intent,
  kernel: FakeKernel,
  act: (world: Reconciling) => Promise<void>,
): Promise<void> {
  const lines: string[] = []
  const reconciler = new Reconciler(
    kernel,
    createLog('kernel', 0, (line) => lines.push(line)),
  )
  const peers = new Map<Prefix, Peer>()
  const stop = new AbortController()
  const running = reconciler.run(stop.signal)
  const change = (subnet: Prefix, after: Peer | undefined): void => {
    const before = peers.get(subnet)
    if (after === undefined) peers.delete(subnet)
    else peers.set(subnet, after)
    reconciler.peersChanged(peers, [{ subnet, before }])
  }
  reconciler.want(intent)
  try {
    await act({
      kernel,
      reconciler,
      peers,
      lines,
      set: (peer) => {
        change(peer.subnet, peer)
      },
      drop: (subnet) => {
        change(subnet, undefined)
      },
    })
  } finally {
    stop.abort()
    await running
  }
}
