// The network config together with the backend it names: what the daemon runs under. Pure.
import type { AnyBackend } from './backend.ts'
import { ConfigError } from './errors.ts'
import { contains, lengthOf, overlaps, prefixOf, type Prefix } from './ip/prefix.ts'
import { type HostNetwork, isOverlayDevice } from './external-interface/host.ts'
import { suggestion } from './nearest.ts'
import { type FamilyRange, type NetworkConfig, backendKeyWarnings, parseNetworkConfig } from './network-config.ts'
import type { Configured } from './reconcile/intent.ts'

/** A network config that one of our backends can run. */
export interface Configuration {
  /** As stored. */
  readonly text: string
  readonly network: NetworkConfig
  /** The subnets to lease from. */
  readonly range: FamilyRange
  readonly own: Configured
  /** One line each. */
  readonly warnings: readonly string[]
}

/** Reads the text of the config key. Throws ConfigError. */
export function readConfiguration(text: string, backends: readonly AnyBackend[]): Configuration {
  const { config: network, warnings } = parseNetworkConfig(text)
  if (network.ipv4 === undefined) {
    throw new ConfigError('EnableIPv4', false, 'must be true: IPv6 alone is not supported yet')
  }
  const { type, section } = network.backend
  const backend = backends.find((known) => known.type === type)
  if (backend === undefined) {
    const types = backends.map((known) => known.type)
    throw new ConfigError('Backend.Type', type, `must be one of ${types.join(', ')}${suggestion(type, types)}`)
  }
  const ipv6 = network.ipv6 === undefined ? [] : ['network config: EnableIPv6: IPv6 is not served yet, IPv4 is']
  return {
    text,
    network,
    range: network.ipv4,
    own: { backend, config: backend.parseConfig(section) },
    warnings: [...warnings, ...backendKeyWarnings(network.backend, Object.keys(backend.configKeys)), ...ipv6],
  }
}

/** Why a daemon that holds `subnet` cannot go over to `next` while it runs; undefined when it can. */
export function refusesChange(running: Configuration, next: Configuration, subnet: Prefix): string | undefined {
  const { network, subnetLen } = next.range
  const restart = 'stop flanneld and dockerd on every host, delete the leases under subnets/, and start them again'
  if (!contains(network, subnet)) {
    return `network config: Network: ${network} does not contain our subnet ${subnet}: keeping ${running.range.network}; to move, ${restart}`
  }
  if (lengthOf(subnet) !== subnetLen) {
    return `network config: SubnetLen: ${subnetLen} differs from our subnet ${subnet}: keeping ${lengthOf(subnet)}; to change it, ${restart}`
  }
  return undefined
}

/**
 * Why this host cannot be in `network`: one of its own networks overlaps (C3). The bridge of our containers is no
 * obstacle: its address has the length of a leased subnet and is on another interface than `external`.
 */
export function overlapWith(
  { network, subnetLen }: FamilyRange,
  host: HostNetwork,
  externalIndex: number,
): string | undefined {
  for (const { index, address, length } of host.addresses) {
    const connected = prefixOf(address, length)
    const link = host.links.find((each) => each.index === index)
    const name = link?.name ?? `#${index}`
    if (!overlaps(network, connected) || (link !== undefined && isOverlayDevice(link))) continue
    const bridge = index !== externalIndex && length === subnetLen && contains(network, connected)
    if (!bridge) {
      return `network config: Network: ${network} overlaps ${connected} on ${name}: peers' routes would hide hosts there; choose another Network, or force it with -force-network-overlap`
    }
  }
  return undefined
}
