// What the plan of this host depends on.
import type { Configured, ExternalInterface } from '../backend.ts'
import type { Configuration } from '../network-config/configuration.ts'
import type { Change } from './change.ts'
import type { Mac } from '../ip/mac.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Options } from '../options/type.ts'

/** What a host's plan depends on. */
export interface Inputs {
  readonly options: Options
  readonly configuration: Configuration
  readonly external: ExternalInterface
  readonly hostId: string
  readonly subnet: Prefix
  /** Backends other than our own by which peers receive, or lately did. */
  readonly others: readonly Configured[]
  readonly keptMacs: ReadonlyMap<string, Mac>
  readonly leftovers: readonly string[]
  /** What a change of the config leaves open. */
  readonly change: Change
  readonly nexthops: boolean
}
