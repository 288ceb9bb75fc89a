// Whether the MTU of containers is one that each of their families can have.
import type { Family } from '../../ip/address.ts'
import { familiesOf } from '../../ip/by-family.ts'
import { subnetEnvOf } from '../../overlay/plan.ts'
import { type Fault, type OwnCheck, outcomeOf } from '../finding.ts'

/** The least MTU a link of a family may have, in bytes (RFC 791, RFC 8200): on one with less the kernel has no such family. */
const LEAST: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 }

export const mtuCheck: OwnCheck = {
  name: 'mtu',
  about: "the containers' MTU is large enough for each family",
  ofPeer: false,
  run({ plan }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { inputs } = plan.value
    if (inputs === undefined) return { unchecked: 'this host has no lease' }
    const { mtu } = subnetEnvOf(inputs)
    const faults = familiesOf(inputs.subnets).flatMap((family): readonly Fault[] => {
      const least = LEAST[family]
      if (mtu >= least) return []
      return [
        {
          level: 'fault',
          stops: true,
          cause: `containers' MTU is ${mtu}, and IPv${family} needs ${least}: the kernel has no IPv${family} on devices with less`,
          fix: `raise the MTU of the interface between the hosts, or Backend.MTU in the network config, by ${least - mtu}; then restart dockerd`,
          proof: `FLANNEL_MTU=${mtu}`,
        },
      ]
    })
    return outcomeOf(faults, `${mtu} bytes`)
  },
}
