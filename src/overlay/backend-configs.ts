// The config of each backend: ours is the one in the network config; another's is its last one when it was ours, or else what it
// reads from our section.
import type { AnyBackend, Configured } from '../backend.ts'
import type { Configuration } from '../network-config/configuration.ts'

export class BackendConfigs {
  readonly #backends: readonly AnyBackend[]
  /** The last config of each backend that was ours, or part of it: its devices are removed with the options they were made with. */
  readonly #last = new Map<string, Configured>()

  constructor(backends: readonly AnyBackend[]) {
    this.#backends = backends
  }

  /** Remembers the config of our own backend, and of those it includes. */
  remember(own: Configured): void {
    for (const part of own.backend.includes?.(own.config) ?? []) this.#last.set(part.backend.type, part)
    this.#last.set(own.backend.type, own)
  }

  /** The backends that read leases of these types, without our own. */
  others(types: Iterable<string>, configuration: Configuration): readonly Configured[] {
    const found = [...types].flatMap((type) => this.find(type, configuration) ?? [])
    return found.filter(({ backend }) => backend !== configuration.own.backend)
  }

  /** A backend with its config, by the type that leases name; undefined where it has none. */
  find(type: string, { own, network }: Configuration): Configured | undefined {
    if (own.backend.type === type || own.backend.leaseType === type) return own
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
