// What the daemon looks at again while it runs: this host's own network when the kernel tells of a change, and everything
// from time to time.
import type { DockerBridge } from './docker-bridge.ts'
import { OperatorError } from './errors.ts'
import type { Store } from './etcd/store.ts'
import { pause } from './etcd/wait.ts'
import { chooseExternalInterface } from './external-interface.ts'
import { subnetEnvOf } from './host-plan.ts'
import type { LiveKernel } from './kernel/live.ts'
import type { Log } from './log.ts'
import type { Options } from './options/type.ts'
import type { Overlay } from './overlay.ts'
import type { Reconciler } from './reconcile/reconciler.ts'

/** The interface's address, MTU or index changed, or it is back: what depends on it follows (L7, D10). */
export async function followHost(
  kernel: LiveKernel,
  store: Store,
  options: Options,
  overlay: Overlay,
  dockerBridge: DockerBridge,
  log: Log,
): Promise<void> {
  const before = overlay.inputs.external
  const host = await kernel.readHost()
  const { subnet, configuration } = overlay.inputs
  dockerBridge.look(host, configuration.range.network, { subnet, mtu: subnetEnvOf(overlay.inputs).mtu })
  const external = chooseExternalInterface(host, options, 4)
  // Down or without an address for a moment: what we have stays until there is something better.
  if (external instanceof OperatorError) return log.debug(1, `${external.message}; keeping ${before.name}`)
  if (JSON.stringify(external) === JSON.stringify(before)) return
  log.info(`interface ${external.name}: now ${external.address}, mtu ${external.mtu}`)
  if (external.address !== before.address) store.reconnect()
  await overlay.update({ external })
}

/** Looks at everything again from time to time, to catch what no notification told. */
export async function audit(
  reconciler: Reconciler,
  overlay: Overlay,
  hostChanged: () => Promise<void>,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pause(seconds * 1000, signal)
    if (signal.aborted) return
    await reconciler.auditInTurns()
    await hostChanged()
    await overlay.update({})
  }
}
