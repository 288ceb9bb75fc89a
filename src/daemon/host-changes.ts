// What the daemon looks at again while it runs: this host's own network when the kernel tells of a change, and everything
// from time to time.
import type { DockerBridge } from '../host/docker-bridge.ts'
import { coalesce, inMeasure } from '../async/coalesce.ts'
import type { Conditions } from '../health/conditions.ts'
import { equal } from '../equal.ts'
import { messageOf } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { pause } from '../async/wait.ts'
import { type HostNetwork, type Place, questionsOf } from '../kernel/host-network.ts'
import { type Held, LEAVE_AFTER_MS, concernsInterface, decideInterface } from '../host/keep-interface.ts'
import type { Address } from '../ip/address.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Log } from '../log.ts'
import { overlapsIn } from '../obstacles/network-overlap.ts'
import type { Options } from '../options/type.ts'
import type { Session } from '../overlay/session.ts'
import type { Sessions } from '../overlay/sessions.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import { primaryRange } from '../network-config/configuration.ts'

const OVERLAP = 'network-overlap'

/** What following the host needs. */
export interface FollowHostParts {
  readonly kernel: LiveKernel
  readonly store: Store
  readonly options: Options
  readonly session: Session
  readonly dockerBridge: Pick<DockerBridge, 'look'>
  readonly conditions: Conditions
  readonly log: Log
  readonly signal: AbortSignal
  /** Where our lease says we were, when that was not to be had at the start. */
  readonly home: Place | undefined
}

/** Keeps what depends on the interface in line with it: it changed, or it is back. */
export class HostFollower {
  readonly #parts: FollowHostParts
  #held: Held
  #again: NodeJS.Timeout | undefined
  #said = ''
  /** Looks at this host; calls while it looks make it look once more. */
  readonly look: () => Promise<void>

  constructor(parts: FollowHostParts) {
    this.#parts = parts
    this.#held = { external: parts.session.inputs.external, home: parts.home, goneSince: undefined }
    this.look = coalesce(
      inMeasure(() => this.#look()),
      (error) => {
        parts.log.error(`host: ${messageOf(error)}`)
      },
    )
    parts.signal.addEventListener('abort', () => {
      clearTimeout(this.#again)
    })
  }

  /** Whether a change of a device, or of an address on it, may change what we have. */
  concerns(device: string, address?: Address): boolean {
    return concernsInterface(this.#held, this.#parts.options, device, address)
  }

  async #look(): Promise<void> {
    const { kernel, store, options, session, dockerBridge, log, signal } = this.#parts
    const before = session.inputs.external
    const host = await kernel.readHost(questionsOf(options))
    const { subnet, configuration } = session.inputs
    dockerBridge.look(host, primaryRange(configuration).network, { subnet, mtu: session.plan.subnetEnv.mtu })
    this.#tellOverlaps(host)
    const now = performance.now()
    const { decision, held } = decideInterface(host, options, this.#held, now)
    this.#held = held
    clearTimeout(this.#again)
    if (decision.type === 'nothing-better') {
      log.debug(1, `${decision.reason}; keeping ${before.name}`)
      return
    }
    if (decision.type === 'wait') {
      const seconds = LEAVE_AFTER_MS / 1000
      const { next } = decision
      this.#say(
        `interface ${before.name}: ${before.address} is gone: waiting ${seconds} s for it, then taking ${next.address} on ${next.name}`,
      )
      if (!signal.aborted) this.#again = setTimeout(() => void this.look(), decision.until - now + 1)
      return
    }
    this.#said = ''
    const { external } = decision
    if (equal(external, before)) return
    log.info(`interface ${external.name}: now ${external.address}, mtu ${external.mtu}`)
    if (external.address !== before.address) store.reconnect()
    await session.update({ external })
  }

  /** A bridge of containers within Network: no reason not to run, and nothing to keep quiet about. */
  #tellOverlaps(host: HostNetwork): void {
    const { session, conditions, log } = this.#parts
    const { configuration, external } = session.inputs
    const found = overlapsIn(primaryRange(configuration), host, external.index).filter(({ containers }) => containers)
    const [first] = found
    if (first === undefined) {
      if (conditions.clear(OVERLAP)) log.info('network config: Network: no bridge of containers overlaps it any more')
      return
    }
    const more = found.length === 1 ? '' : ` (and ${found.length - 1} more)`
    const gist = `${first.device} overlaps Network${more}`
    const text = `${first.text}${more}`
    if (conditions.set(OVERLAP, { level: 'warning', gist, text, run: first.run })) log.warn(text)
  }

  #say(text: string): void {
    if (text !== this.#said) this.#parts.log.warn(text)
    this.#said = text
  }
}

/** What an audit compares, and how often. */
export interface AuditParts {
  readonly reconciler: Reconciler
  readonly sessions: Sessions
  /** Looks at this host. */
  readonly look: () => Promise<void>
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Compares everything at an interval, in case a notification was lost. Returns when the signal aborts. */
export async function audit({ reconciler, sessions, look, seconds, signal }: AuditParts): Promise<void> {
  for (;;) {
    await pause(seconds * 1000, signal)
    if (signal.aborted) return
    await reconciler.auditInTurns()
    await look()
    for (const session of sessions) await session.update({})
  }
}
