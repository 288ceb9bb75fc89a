// The config each backend runs under: our own as the network config says, another's as it was when it was ours, or as the
// section of ours reads to it.
import type { AnyBackend, Configured } from '../backend.ts'
import type { Configuration } from '../network-config/configuration.ts'

export class BackendConfigs {
  readonly #backends: readonly AnyBackend[]
  /** The last config of each that was ours: its devices are removed with the options they were made with. */
  readonly #last = new Map<string, Configured>()

  constructor(backends: readonly AnyBackend[]) {
    this.#backends = backends
  }

  /** This one is ours now. */
  remember(own: Configured): void {
    this.#last.set(own.backend.type, own)
  }

  /** A backend by its type, with its config; undefined where it has none. */
  find(type: string, { own, network }: Configuration): Configured | undefined {
    if (own.backend.type === type) return own
    const known = this.#last.get(type)
    if (known !== undefined) return known
    const backend = this.#backends.find((other) => other.type === type)
    if (backend === undefined) return undefined
    try {
      return { backend, config: backend.parseConfig(network.backend.section) }
    } catch {
      // The section is written for our own backend and may make no sense to this one.
      return undefined
    }
  }
}
