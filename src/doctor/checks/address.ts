// Networks that overlap, routes that steal packets, and Docker's bridge.
import { type StaleBridge, bridgeFault, subnetsWithoutBridge } from '../../host/docker-bridge.ts'
import { type Prefix, addressOf, contains, lengthOf, prefixFamily, prefixOf } from '../../ip/prefix.ts'
import { subnetEnvOf } from '../../overlay/plan.ts'
import type { HostNetwork } from '../../kernel/host-network.ts'
import { type Overlap, overlapsOf } from '../../obstacles/network-overlap.ts'
import { type Check, type Fault, firstOf, outcomeOf, type OwnCheck } from '../finding.ts'
import type { Facts } from '../facts.ts'
import type { ExpectedPlan } from '../expected-state.ts'
import { NEITHER, byFamily, mapFamilies, valuesOf } from '../../ip/by-family.ts'
import type { Subnets } from '../../lease/lease.ts'
import { valueIn } from '../known.ts'

export const overlapCheck: OwnCheck = {
  name: 'overlap',
  about: 'the Network overlaps no other network, and contains no foreign route',
  ofPeer: true,
  run({ plan, host, target }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    const { configuration } = plan.value
    const externals = byFamily((family) => valueIn(host.externals[family]))
    const overlaps = overlapsOf(configuration, externals, host.network).map(overlapFault)
    const faults = [...overlaps, ...routeFaults(host.network, plan.value, target)]
    const networks = valuesOf(configuration.ranges).map(({ network }) => network)
    return outcomeOf(firstOf(faults), `nothing else in ${networks.join(' or ')}`)
  },
}

function overlapFault({ containers, what, effect, advice }: Overlap): Fault {
  const cause = `Network: ${what}`
  if (containers) return { level: 'warning', code: 'network-overlap', cause, fix: advice, proof: effect }
  const fix = 'choose another Network (flanneld config set), or take that address off this host'
  return { level: 'fault', stops: true, cause, fix, proof: effect }
}

/** Routes of others that are more exact than ours. */
function routeFaults({ routes, links }: HostNetwork, plan: ExpectedPlan, target: Facts['target']): readonly Fault[] {
  const { configuration, own, wanted } = plan
  const ranges = valuesOf(configuration.ranges)
  const devices = new Set(wanted.flatMap(({ object }) => (object.kind === 'link' ? [object.name] : [])))
  const concerns = (destination: Prefix): boolean =>
    target === undefined || target.subnets.some((subnet) => contains(subnet, destination))
  return routes.flatMap(({ destination, index, gateway }): readonly Fault[] => {
    const range = ranges.find(({ network }) => contains(network, destination))
    if (range === undefined || lengthOf(destination) <= range.subnetLen) return []
    const device = links.find((link) => link.index === index)?.name ?? `#${index}`
    if (devices.has(device) || (own !== undefined && isIn(own.subnets, destination))) return []
    if (!concerns(destination)) return []
    const route = `${destination}${gateway === undefined ? '' : ` via ${gateway}`} dev ${device}`
    return [
      {
        level: 'fault',
        stops: true,
        cause: `a foreign route takes packets for ${peerOf(plan, destination, range.subnetLen)} elsewhere: it is more specific`,
        fix: `remove it, if nothing needs it: ip route del ${route}`,
        proof: route,
      },
    ]
  })
}

function isIn(subnets: Subnets, destination: Prefix): boolean {
  return valuesOf(subnets).some((subnet) => contains(subnet, destination))
}

/** The peer a route is of; its subnet where there is none. */
function peerOf({ peers }: ExpectedPlan, destination: Prefix, subnetLen: number): string {
  const subnet = prefixOf(addressOf(destination), subnetLen)
  return peers.has(subnet) ? `peer ${subnet}` : subnet
}

export const dockerCheck: Check = {
  name: 'docker0',
  about: 'docker0 has the leased subnet and MTU',
  ofPeer: false,
  run: ({ host, plan }: Facts) => {
    const { inputs, configuration } = 'value' in plan ? plan.value : { inputs: undefined, configuration: undefined }
    const found = 'value' in host.subnetEnv ? host.subnetEnv.value : undefined
    const leased = inputs === undefined ? found : subnetEnvOf(inputs)
    const mtu = leased?.mtu
    if (leased === undefined || mtu === undefined) return { unchecked: 'what is leased is not known' }
    if (!host.network.links.some(({ name }) => name === 'docker0')) return { seen: 'there is no docker0' }
    const networks = mapFamilies(configuration?.ranges ?? NEITHER, ({ network }) => network)
    const stale = bridgeFault(host.network, leased, networks)
    if (stale !== undefined) return { faults: [staleFault(stale)] }
    const subnets = valuesOf(leased.subnets)
    const faults = subnetsWithoutBridge(host.network, leased.subnets).map((subnet): Fault => ({
      level: 'warning',
      cause: `docker0 has no IPv${prefixFamily(subnet)}: its containers have no address of ${subnet}`,
      fix: 'run flanneld docker-opts, give dockerd its options, and restart dockerd',
      proof: `docker0 has no address of the leased ${subnet}`,
    }))
    return outcomeOf(faults, `docker0 fits ${subnets.join(' and ')}, mtu ${mtu}`)
  },
}

function staleFault({ seen, effect, fix, stops }: StaleBridge): Fault {
  const cause = `docker0 is not as leased: ${effect}`
  const fault = { level: 'fault', cause, fix, proof: `docker0 ${seen}` } as const
  return stops ? { ...fault, stops } : fault
}
