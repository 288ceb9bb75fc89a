// What the daemon checks while it runs: this host's network when the kernel reports a change, and everything at an
// interval.
import type { DockerBridge } from '../host/docker-bridge.ts'
import { coalesce, inMeasure } from '../async/coalesce.ts'
import type { Conditions } from '../health/conditions.ts'
import { equal } from '../equal.ts'
import { messageOf } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { pause } from '../async/wait.ts'
import { type HostNetwork, type Place, questionsOf } from '../kernel/host-network.ts'
import {
  type Held,
  type KeepDecision,
  LEAVE_AFTER_MS,
  concernsInterface,
  decideInterface,
} from '../host/keep-interface.ts'
import { type Address, type Family } from '../ip/address.ts'
import { type ByFamily, type SomeFamily, anyFamily, inFamily, mapFamilies, valuesOf } from '../ip/by-family.ts'
import type { ExternalInterface } from '../backend.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Log } from '../log.ts'
import { overlapsOf } from '../obstacles/network-overlap.ts'
import type { Options } from '../options/type.ts'
import type { Session } from '../overlay/session.ts'
import type { Sessions } from '../overlay/sessions.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { chooseExternalInterface } from '../host/external-interface.ts'
import { externalsFor } from '../host/wanted-interfaces.ts'

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
  /** The public addresses in our lease, when they were not available at the start. */
  readonly homes: ByFamily<Place>
}

/** Keeps what depends on the interface in line with it: it changed, or it is back. */
export class HostFollower {
  readonly #parts: FollowHostParts
  /** What we have in each family. */
  #held: ByFamily<Held>
  #again: NodeJS.Timeout | undefined
  /** The last warning about the interface of each family. */
  readonly #logged = new Map<Family, string>()
  /** Checks this host; a call during a check causes one more. */
  readonly look: () => Promise<void>

  constructor(parts: FollowHostParts) {
    this.#parts = parts
    this.#held = mapFamilies(parts.session.inputs.externals, (external, family) => {
      return { external, home: inFamily(parts.homes, family), goneSince: undefined }
    })
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

  /** The interfaces for another config: what we have in its families, else what would be chosen now; or why there is none. */
  async externalsFor(next: Pick<Configuration, 'ranges'>): Promise<SomeFamily<ExternalInterface> | string> {
    const { kernel, options, session } = this.#parts
    const host = await kernel.readHost(questionsOf(options))
    return externalsFor(next, session.inputs.externals, (family) => chooseExternalInterface(host, options, family))
  }

  /** Whether a change of a device, or of an address on it, may change what we have. */
  concerns(device: string, address?: Address): boolean {
    return valuesOf(this.#held).some((held) => concernsInterface(held, this.#parts.options, device, address))
  }

  async #look(): Promise<void> {
    const { kernel, store, options, session, dockerBridge, signal } = this.#parts
    const before = session.inputs.externals
    const host = await kernel.readHost(questionsOf(options))
    const { configuration } = session.inputs
    const { mtu } = session.plan.subnetEnv
    const networks = valuesOf(configuration.ranges).map(({ network }) => network)
    dockerBridge.look(
      host,
      networks,
      valuesOf(session.inputs.subnets).map((subnet) => ({ subnet, mtu })),
    )
    this.#logOverlaps(host)
    const now = performance.now()
    // The config may have switched a family on or off.
    const held = mapFamilies(before, (external, family) => {
      return inFamily(this.#held, family) ?? { external, home: undefined, goneSince: undefined }
    })
    const decided = mapFamilies(held, (had) => decideInterface(host, options, had, now))
    this.#held = mapFamilies(decided, ({ held }) => held)
    clearTimeout(this.#again)
    const waits = valuesOf(decided).flatMap(({ decision }) => (decision.type === 'wait' ? [decision.until] : []))
    if (waits.length > 0 && !signal.aborted)
      this.#again = setTimeout(() => void this.look(), Math.min(...waits) - now + 1)
    const externals = mapFamilies(before, (had, family) => {
      const decision = inFamily(decided, family)?.decision
      return decision === undefined ? had : this.#decided(had, decision)
    })
    if (equal(externals, before)) return
    if (anyFamily(externals, before, (has, had) => has.address !== had.address)) store.reconnect()
    await session.update({ externals })
  }

  /** Logs the decision about an interface. Returns the one in use from now on. */
  #decided(before: ExternalInterface, decision: KeepDecision): ExternalInterface {
    const { log } = this.#parts
    if (decision.type === 'nothing-better') {
      log.debug(1, `${decision.reason}; keeping ${before.name}`)
      return before
    }
    if (decision.type === 'wait') {
      const seconds = LEAVE_AFTER_MS / 1000
      const { next } = decision
      this.#say(
        before.family,
        `interface ${before.name}: ${before.address} is gone: waiting ${seconds} s for it, then taking ${next.address} on ${next.name}`,
      )
      return before
    }
    this.#logged.delete(before.family)
    const { external } = decision
    if (!equal(external, before)) log.info(`interface ${external.name}: now ${external.address}, mtu ${external.mtu}`)
    return external
  }

  /** A container bridge inside Network is worth a warning, but does not stop the daemon. */
  #logOverlaps(host: HostNetwork): void {
    const { session, conditions, log } = this.#parts
    const { configuration, externals } = session.inputs
    const found = overlapsOf(configuration, externals, host).filter(({ containers }) => containers)
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

  #say(family: Family, text: string): void {
    if (text !== this.#logged.get(family)) this.#parts.log.warn(text)
    this.#logged.set(family, text)
  }
}

/** What an audit compares, and how often. */
export interface AuditParts {
  readonly reconciler: Reconciler
  readonly sessions: Sessions
  /** Checks this host. */
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
