// The network config together with the backend it names: what the daemon runs under. Pure.
import type { AnyBackend, Configured } from '../backend.ts'
import { ConfigError } from '../errors.ts'
import { contains, lengthOf, type Prefix } from '../ip/prefix.ts'
import { suggestion } from '../text/did-you-mean.ts'
import { placeOf } from './json-text.ts'
import type { ConfigRemark } from './remark.ts'
import { backendSchema, validateLevel } from './schema.ts'
import { type FamilyRange, type NetworkConfig, backendKeyWarnings, parseNetworkConfig } from './parse.ts'

/** A network config that one of our backends can run. */
export interface Configuration {
  /** As stored. */
  readonly text: string
  readonly network: NetworkConfig
  /** The subnets to lease from. */
  readonly range: FamilyRange
  readonly own: Configured
  readonly remarks: readonly ConfigRemark[]
}

/** Reads the text of the config key. Throws ConfigError. */
export function readConfiguration(text: string, backends: readonly AnyBackend[]): Configuration {
  try {
    return checked(text, backends)
  } catch (error) {
    throw error instanceof ConfigError ? withPlace(error, text) : error
  }
}

/** The error with the place of its value, where the text has several lines to look through. */
function withPlace(error: ConfigError, text: string): ConfigError {
  if (!text.trim().includes('\n')) return error
  const place = placeOf(text, error.path.split('.'))
  if (place === undefined) return error
  return new ConfigError(error.path, error.value, error.rule, `line ${place.line}, column ${place.column}`)
}

function checked(text: string, backends: readonly AnyBackend[]): Configuration {
  const { config: network, remarks } = parseNetworkConfig(text)
  if (network.ipv4 === undefined) {
    throw new ConfigError('EnableIPv4', false, 'must be true: IPv6 alone is not supported yet')
  }
  const { type, section } = network.backend
  const backend = backends.find((known) => known.type === type)
  if (backend === undefined) {
    const types = backends.map((known) => known.type)
    throw new ConfigError('Backend.Type', type, `must be one of ${types.join(', ')}${suggestion(type, types)}`)
  }
  validateLevel(section, backendSchema(backend.configKeys))
  const ipv6: ConfigRemark = { level: 'warning', text: 'network config: EnableIPv6: IPv6 is not served yet, IPv4 is' }
  return {
    text,
    network,
    range: network.ipv4,
    own: { backend, config: backend.parseConfig(section) },
    remarks: [
      ...remarks,
      ...backendKeyWarnings(network.backend, Object.keys(backend.configKeys)),
      ...(network.ipv6 === undefined ? [] : [ipv6]),
    ],
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
