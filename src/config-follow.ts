// The network config as it changes while the daemon runs: taken over where this host can run it, else kept out and told.
import { tellRefused, tellRemarks, tellTaken } from './config-remarks.ts'
import { readConfiguration, refusesChange } from './configuration.ts'
import { messageOf } from './errors.ts'
import type { WatchStep } from './etcd/store.ts'
import type { FollowParts } from './follow.ts'
import { type Log, printable } from './log.ts'
import { configIn } from './step-entries.ts'

export class ConfigFollower {
  readonly #parts: Pick<FollowParts, 'overlay' | 'backends' | 'obstacleTo' | 'conditions'>
  readonly #log: Log
  readonly #key: string
  /** The config that was refused last, null for its absence; said once. */
  #refused: string | null | undefined

  constructor(parts: FollowParts) {
    this.#parts = parts
    this.#log = parts.log.part('config')
    this.#key = `${parts.options.etcdPrefix}/config`
  }

  /** Takes the network config of a step; whether another one is in force now. */
  async take(step: Exclude<WatchStep, { type: 'disconnected' }>): Promise<boolean> {
    const text = configIn(step, this.#key)
    if (text === undefined || text === this.#refused) return false
    const { overlay, conditions } = this.#parts
    if (text === overlay.inputs.configuration.text) {
      if (this.#refused !== undefined) this.#log.info('network config: it says again what is running')
      this.#taken()
      return false
    }
    try {
      await this.#takeOver(text)
      this.#taken()
      return true
    } catch (error) {
      this.#refused = text
      tellRefused(messageOf(error), this.#log, conditions)
      return false
    }
  }

  /** Goes over to a config. Throws when this host cannot. */
  async #takeOver(text: string | null): Promise<void> {
    const { overlay, backends, obstacleTo, conditions } = this.#parts
    if (text === null) throw new Error(`network config: ${this.#key}: deleted`)
    const next = readConfiguration(text, backends)
    const { configuration: running, subnet } = overlay.inputs
    const why = refusesChange(running, next, subnet) ?? (await obstacleTo(next))
    if (why !== undefined) throw new Error(why)
    tellRemarks(next, this.#log, conditions)
    this.#log.info(`network config changed: ${printable(text.replaceAll(/\s+/g, ' '), 1000)}`)
    await overlay.update({ configuration: next })
  }

  #taken(): void {
    this.#refused = undefined
    tellTaken(this.#parts.conditions)
  }
}
