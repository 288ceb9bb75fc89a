// The prober's pinger, with a socket for each family that this host is in, as far as sockets can be had.
// Invariant: a family without a socket leaves the other one's probes alone; what is missing is said once.
import { messageOf } from '../errors.ts'
import { type SupervisedPart, isAnswer } from '../health/supervise.ts'
import type { Family } from '../ip/address.ts'
import type { Log } from '../log.ts'
import { type HeardRequest, Pinger } from './pinger.ts'

/** What it works with. */
interface KeptPingerParts {
  readonly heard: (request: HeardRequest) => void
  readonly log: Log
  readonly part: Pick<SupervisedPart, 'guard'>
  readonly signal: AbortSignal
}

export class KeptPinger {
  readonly #parts: KeptPingerParts
  #pinger: Pinger | undefined
  /** Why a family has no socket. */
  readonly #missing = new Map<Family, string>()
  #wanted: ReadonlySet<Family> = new Set()

  constructor(parts: KeptPingerParts) {
    this.#parts = parts
  }

  /** Why nothing can be probed; undefined where something can, or was not tried. */
  get off(): string | undefined {
    const [why] = this.#missing.values()
    return this.#missing.size < this.#wanted.size ? undefined : why
  }

  /** The pinger of the moment; another one follows when a socket breaks. */
  get current(): Pinger | undefined {
    return this.#pinger
  }

  /** Whether packets of these families can be sent. */
  reaches(families: Iterable<Family>): boolean {
    return [...families].every((family) => this.#pinger?.isOpen(family) === true)
  }

  /** Opens what is not open. Rejects for a fault of ours alone. */
  async open(families: ReadonlySet<Family>): Promise<void> {
    this.#wanted = families
    for (const family of this.#missing.keys()) if (!families.has(family)) this.#missing.delete(family)
    const pinger = (this.#pinger ??= this.#made())
    for (const family of families) await this.#open(pinger, family)
    if (this.#parts.signal.aborted) this.close()
  }

  close(): void {
    this.#pinger?.close()
    this.#pinger = undefined
  }

  async #open(pinger: Pinger, family: Family): Promise<void> {
    const { log } = this.#parts
    try {
      await pinger.open(family)
      if (this.#missing.delete(family)) log.info('probing again')
    } catch (error) {
      const why = messageOf(error)
      const known = [...this.#missing.values()].includes(why)
      this.#missing.set(family, why)
      if (!isAnswer(error)) throw error
      // What is missing will hardly come back by itself, but costs little to look for.
      if (!known) log.warn(`no probes: ${why}; peers' states are not known`)
    }
  }

  #made(): Pinger {
    const { heard, log, part } = this.#parts
    const made = new Pinger({
      guard: part.guard,
      heard,
      broken: (why) => {
        log.warn(`raw socket: ${why}; opening another`)
        made.close()
        if (this.#pinger === made) this.#pinger = undefined
      },
    })
    return made
  }
}
