// What a daemon plans from: the tutorial's host with the lease of 10.2.21.0/24 and a config of a test's choice.
import { only, onlySubnet } from '../../src/ip/by-family.ts'
import { BACKENDS } from '../../backends/index.ts'
import { readConfiguration } from '../../src/network-config/configuration.ts'
import { NO_CHANGE } from '../../src/overlay/change.ts'
import type { PlanInputs } from '../../src/overlay/inputs.ts'
import { optionsOf } from './command-line.ts'
import { ENP0S3, prefix } from './values.ts'

/** The inputs of a host whose network is 10.2.0.0/16 with these further keys, and whose daemon has these arguments. */
export function inputsWith(config: object, args: readonly string[] = [], over: Partial<PlanInputs> = {}): PlanInputs {
  return {
    options: optionsOf(args),
    configuration: readConfiguration(JSON.stringify({ Network: '10.2.0.0/16', ...config }), BACKENDS),
    externals: only(4, ENP0S3),
    hostId: 'ab'.repeat(16),
    subnets: onlySubnet(prefix('10.2.21.0/24')),
    others: [],
    prepared: new Map(),
    keptMacs: new Map(),
    leftovers: [],
    change: NO_CHANGE,
    nexthops: false,
    ...over,
  }
}
