// What the plan of a network depends on.
import type { Configured, ExternalInterface } from '../backend.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { type OngoingChange, NO_CHANGE } from './change.ts'
import type { Mac } from '../ip/mac.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { SomeFamily } from '../ip/by-family.ts'
import type { Options } from '../options/type.ts'

/** What is given: the flags, the network config, this host, its lease. */
export interface Inputs {
  readonly options: Options
  readonly configuration: Configuration
  /** The interface of each family that outer packets use. */
  readonly externals: SomeFamily<ExternalInterface>
  readonly hostId: string
  /** What backends asked to be made before the plan, by name (Backend.prepares). */
  readonly prepared: ReadonlyMap<string, string>
  /** Our leased subnets. */
  readonly subnets: SomeFamily<Prefix>
}

/** What is derived from the peers and from earlier plans. */
export interface Derived {
  /** Backends other than our own that peers use, or used until a moment ago. */
  readonly others: readonly Configured[]
  /** MACs that our devices have, or had, by name. */
  readonly keptMacs: ReadonlyMap<string, Mac>
  /** Devices of earlier runs that no backend may want any more. */
  readonly leftovers: readonly string[]
  /** What stays open after a change of the config. */
  readonly change: OngoingChange
  /** Whether routes of peers go through nexthop objects. */
  readonly nexthops: boolean
}

/** Everything a plan depends on, except the peers. */
export interface PlanInputs extends Inputs, Derived {}

/** What is derived before the peers are known, from the devices of earlier runs. */
export function derivedAtStart(devices: {
  readonly macs: ReadonlyMap<string, Mac>
  readonly names: readonly string[]
}): Derived {
  return { others: [], keptMacs: devices.macs, leftovers: devices.names, change: NO_CHANGE, nexthops: false }
}
