// The network config together with the backend it names: what the daemon runs under. Pure.
import type { AnyBackend, Configured } from '../backend.ts'
import { ConfigError } from '../errors.ts'
import type { Family } from '../ip/address.ts'
import { contains, lengthOf, type Prefix, prefixFamily } from '../ip/prefix.ts'
import { suggestion } from '../text/did-you-mean.ts'
import { placeOf } from './json-text.ts'
import type { ConfigRemark } from './remark.ts'
import { backendSchema, validateLevel } from './schema.ts'
import { type NetworkConfig, backendKeyWarnings, parseNetworkConfig } from './parse.ts'
import { SERVED, type SomeFamily, byFamily, familiesOf, first, inFamily, some } from '../ip/by-family.ts'
import type { SubnetRange } from '../lease/allocate.ts'

/** A network config that one of our backends can run. */
export interface Configuration {
  /** As stored. */
  readonly text: string
  readonly network: NetworkConfig
  /** The subnets to lease from, of the families that are served. */
  readonly ranges: SomeFamily<SubnetRange>
  readonly own: Configured
  readonly remarks: readonly ConfigRemark[]
}

/** The range shown for a config where there is room for one. */
export function primaryRange({ ranges }: Pick<Configuration, 'ranges'>): SubnetRange {
  return first(ranges)
}

/** The ranges of a network config that are served; undefined when none is. */
function servedRanges({ ranges }: Pick<NetworkConfig, 'ranges'>): SomeFamily<SubnetRange> | undefined {
  return some(byFamily((family) => (SERVED.includes(family) ? inFamily(ranges, family) : undefined)))
}

/** The range shown for a network config; undefined when no family is served. */
export function servedRange(network: NetworkConfig): SubnetRange | undefined {
  const ranges = servedRanges(network)
  return ranges && first(ranges)
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
  const ranges = servedRanges(network)
  if (ranges === undefined) {
    throw new ConfigError('EnableIPv4', false, 'must be true: IPv6 alone is not supported yet')
  }
  const { type, section } = network.backend
  const backend = backends.find((known) => known.type === type)
  if (backend === undefined) {
    const types = backends.map((known) => known.type)
    throw new ConfigError('Backend.Type', type, `must be one of ${types.join(', ')}${suggestion(type, types)}`)
  }
  refuseFamilies(backend, familiesOf(network.ranges))
  validateLevel(section, backendSchema(backend.configKeys))
  const unserved = familiesOf(network.ranges).filter((family) => !SERVED.includes(family))
  const notServed = unserved.map((family): ConfigRemark => {
    const text = `network config: EnableIPv${family}: IPv${family} is not served yet, IPv${SERVED.join()} is`
    return { level: 'warning', text }
  })
  return {
    text,
    network,
    ranges,
    own: { backend, config: backend.parseConfig(section) },
    remarks: [...remarks, ...backendKeyWarnings(network.backend, Object.keys(backend.configKeys)), ...notServed],
  }
}

/** A network has a family that its backend does not carry: its packets would go nowhere. Throws ConfigError. */
function refuseFamilies({ type, families }: AnyBackend, wanted: readonly Family[]): void {
  const missing = wanted.find((family) => families?.includes(family) === false)
  if (missing === undefined) return
  const carried = families?.map((family) => `IPv${family}`).join() ?? ''
  const rule = `carries ${carried} only: set EnableIPv${missing} to false, or another Backend.Type`
  throw new ConfigError('Backend.Type', type, rule)
}

/** Why a daemon that holds `subnet` cannot switch to `next` while it runs; undefined when it can. */
export function refusesChange(running: Configuration, next: Configuration, subnet: Prefix): string | undefined {
  const family = prefixFamily(subnet)
  const range = inFamily(next.ranges, family)
  if (range === undefined) return `network config: EnableIPv${family}: our subnet ${subnet} needs it: keeping it`
  const { network, subnetLen } = range
  const restart = 'stop flanneld and dockerd on every host, delete the leases under subnets/, and start them again'
  if (!contains(network, subnet)) {
    return `network config: Network: ${network} does not contain our subnet ${subnet}: keeping ${inFamily(running.ranges, family)?.network ?? 'the one we have'}; to move, ${restart}`
  }
  if (lengthOf(subnet) !== subnetLen) {
    return `network config: SubnetLen: ${subnetLen} differs from our subnet ${subnet}: keeping ${lengthOf(subnet)}; to change it, ${restart}`
  }
  return undefined
}
