// The tutorial's host in two address families.
import type { ExternalInterface } from '../../src/backend.ts'
import type { PlanInputs } from '../../src/overlay/inputs.ts'
import { inputsWith } from './overlay-inputs.ts'
import { ENP0S3, address, prefix } from './values.ts'

/** Its interface in IPv6. */
export const SIXTH: ExternalInterface = {
  ...ENP0S3,
  family: 6,
  address: address('fd01::121'),
  publicAddress: address('fd01::121'),
  onlink: [prefix('fd01::/64')],
}

/** The host with fd00:2::/48 next to 10.2.0.0/16, and an interface in both families. */
export function twoFamilies(config: object): PlanInputs {
  const inputs = inputsWith(config)
  const network = prefix('fd00:2::/48')
  const range = { network, subnetLen: 64, subnetMin: address('fd00:2:0:1::'), subnetMax: address('fd00:2:0:ffff::') }
  const { configuration, externals, subnets } = inputs
  return {
    ...inputs,
    configuration: { ...configuration, ranges: { ...configuration.ranges, ipv6: range } },
    externals: { ...externals, ipv6: SIXTH },
    subnets: { ...subnets, ipv6: prefix('fd00:2:0:21::/64') },
  }
}
