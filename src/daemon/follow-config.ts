// The network config as it changes while the daemon runs: applied where this host can run it, otherwise refused and reported, and
// applied later, when what prevents it on this host is gone.
import { reportRefused, reportRemarks, clearRefused } from '../network-config/remarks.ts'
import { type Configuration, readConfiguration, refusesChange } from '../network-config/configuration.ts'
import { withoutSecrets } from '../network-config/hidden-secrets.ts'
import { inFamily, valuesOf } from '../ip/by-family.ts'
import { messageOf } from '../errors.ts'
import { lineOf } from './startup.ts'
import type { WatchStep } from '../etcd/store.ts'
import { pause } from '../async/wait.ts'
import { reporter } from '../health/reporter.ts'
import type { FollowParts } from './follow-parts.ts'
import { type Log } from '../log.ts'
import { printable } from '../text/plain-text.ts'
import { prepare } from './prepare.ts'
import { configIn } from './step-entries.ts'

/** How often this host is looked at again while it cannot run a stored config. Milliseconds. */
const LOOK_MS = 3000

export class ConfigFollower {
  readonly #parts: Pick<FollowParts, 'session' | 'backends' | 'admits' | 'conditions' | 'signal'>
  readonly #again: () => void
  readonly #log: Log
  readonly #key: string
  /** The config that was refused last, null for its absence; logged once. */
  #refused: string | null | undefined
  /** Ends the waiting for this host to be able to run that one. */
  #waiting = new AbortController()
  /** The look at this host under way: of two at a time one could give up the locks of the other. */
  #looking: ReturnType<FollowParts['admits']> = Promise.resolve('not looked yet')

  /** `again` is to have the config listed once more. */
  constructor(parts: FollowParts, again: () => void) {
    this.#parts = parts
    this.#again = again
    this.#log = reporter('config', parts.log.part('config'), parts.events)
    this.#key = `${parts.options.etcdPrefix}/config`
  }

  /** Takes the network config of a step; whether another one is in force now. */
  async take(step: Exclude<WatchStep, { type: 'disconnected' }>): Promise<boolean> {
    const text = configIn(step, this.#key)
    if (text === undefined || text === this.#refused) return false
    const { session, conditions } = this.#parts
    if (text === session.inputs.configuration.text) {
      if (this.#refused !== undefined) this.#log.info('network config: it says again what is running')
      this.#taken()
      return false
    }
    this.#waiting.abort()
    try {
      await this.#takeOver(text)
      this.#taken()
      return true
    } catch (error) {
      this.#refused = text
      reportRefused(messageOf(error), this.#log, conditions)
      return false
    }
  }

  /** Goes over to a config. Throws when this host cannot. */
  async #takeOver(text: string | null): Promise<void> {
    const { session, backends, conditions, signal } = this.#parts
    if (text === null) throw new Error(`network config: ${this.#key}: deleted`)
    const next = readConfiguration(text, backends)
    const { configuration: running, subnets } = session.inputs
    const why = refusesChange(running, next, subnets)
    if (why !== undefined) throw new Error(why)
    const externals = await this.#look(next)
    if (typeof externals === 'string') {
      this.#waiting = new AbortController()
      void this.#awaitHost(next, externals, AbortSignal.any([signal, this.#waiting.signal]))
      throw new Error(externals)
    }
    // What another backend's lease or devices are still made of stays.
    const prepared = new Map([...session.inputs.prepared, ...(await prepare(next, externals))])
    reportRemarks(next, this.#log, conditions)
    this.#log.info(`network config changed: ${printable(withoutSecrets(text).replaceAll(/\s+/g, ' '), 1000)}`)
    for (const external of valuesOf(externals))
      if (inFamily(session.inputs.externals, external.family) === undefined) this.#log.info(lineOf(external))
    await session.update({ configuration: next, externals, prepared })
  }

  /** The interfaces to run a config on, or why this host cannot, a failure to find out among it. */
  #look(next: Configuration): ReturnType<FollowParts['admits']> {
    const look = async (): ReturnType<FollowParts['admits']> => {
      try {
        return await this.#parts.admits(next)
      } catch (error) {
        return messageOf(error)
      }
    }
    return (this.#looking = this.#looking.then(look))
  }

  /** Until nothing is in the way of a config any more; what is, is reported when it changes. */
  async #awaitHost(next: Configuration, obstacle: string, signal: AbortSignal): Promise<void> {
    const ended = (): boolean => signal.aborted
    for (let reported = obstacle; ;) {
      await pause(LOOK_MS, signal)
      if (ended()) return
      const found = await this.#look(next)
      if (ended()) return
      if (typeof found !== 'string') break
      if (found !== reported) reportRefused(found, this.#log, this.#parts.conditions)
      reported = found
    }
    this.#refused = undefined
    this.#again()
  }

  #taken(): void {
    this.#waiting.abort()
    this.#refused = undefined
    clearRefused(this.#parts.conditions)
  }
}
