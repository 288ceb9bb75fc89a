// Networks that overlap, routes that steal packets, and Docker's bridge.
import { staleBridge } from '../../host/docker-bridge.ts'
import { type Prefix, addressOf, contains, lengthOf, prefixOf } from '../../ip/prefix.ts'
import { subnetEnvOf } from '../../overlay/plan.ts'
import type { HostNetwork } from '../../kernel/host-network.ts'
import { type Overlap, overlapsIn } from '../../obstacles/network-overlap.ts'
import { type Check, type Fault, firstOf, outcomeOf, type OwnCheck } from '../finding.ts'
import type { Facts } from '../facts.ts'
import type { ExpectedPlan } from '../expected-state.ts'
import { primaryRange } from '../../network-config/configuration.ts'
import { NEITHER, valuesOf } from '../../ip/by-family.ts'
import { networkIn, subnetIn } from '../../host/subnet-env.ts'

export const overlapCheck: OwnCheck = {
  name: 'overlap',
  about: 'the Network overlaps no other network, and contains no foreign route',
  ofPeer: true,
  run({ plan, host, target }) {
    if ('unknown' in plan) return { unchecked: plan.unknown }
    if ('unknown' in host.external) return { unchecked: host.external.unknown }
    const { ranges } = plan.value.configuration
    const { index } = host.external.value
    const overlaps = valuesOf(ranges).flatMap((range) => overlapsIn(range, host.network, index).map(overlapFault))
    const faults = [...overlaps, ...routeFaults(host.network, plan.value, target)]
    return outcomeOf(firstOf(faults), `nothing else in ${primaryRange(plan.value.configuration).network}`)
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
    target === undefined || (target.subnet !== undefined && contains(target.subnet, destination))
  return routes.flatMap(({ destination, index, gateway }): readonly Fault[] => {
    const range = ranges.find(({ network }) => contains(network, destination))
    if (range === undefined || lengthOf(destination) <= range.subnetLen) return []
    const device = links.find((link) => link.index === index)?.name ?? `#${index}`
    if (devices.has(device) || (own !== undefined && contains(own.subnet, destination))) return []
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
    const [subnet, mtu] = [subnetIn(leased), leased?.mtu]
    if (subnet === undefined || mtu === undefined) return { unchecked: 'what is leased is not known' }
    if (!host.network.links.some(({ name }) => name === 'docker0')) return { seen: 'there is no docker0' }
    const configured = valuesOf(configuration?.ranges ?? NEITHER).map(({ network }) => network)
    const networks = [...configured, networkIn(found)].filter((network) => network !== undefined)
    const stale = staleBridge(host.network, { subnet, mtu }, networks)
    if (stale === undefined) return { seen: `docker0 fits ${subnet}, mtu ${mtu}` }
    const { seen, effect, fix, stops } = stale
    const fault = {
      level: 'fault',
      cause: `docker0 is not as leased: ${effect}`,
      fix,
      proof: `docker0 ${seen}`,
    } as const
    return { faults: [stops ? { ...fault, stops } : fault] }
  },
}
