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
import { type SomeFamily, familiesOf, first, inFamily, valuesOf } from '../ip/by-family.ts'
import type { Subnets } from '../lease/lease.ts'
import { RANGE_KEYS } from './range.ts'
import type { SubnetRange } from '../lease/allocate.ts'

/** A network config that one of our backends can run. */
export interface Configuration {
  /** As stored. */
  readonly text: string
  readonly network: NetworkConfig
  /** The subnets to lease from. */
  readonly ranges: SomeFamily<SubnetRange>
  readonly own: Configured
  readonly remarks: readonly ConfigRemark[]
}

/** The range shown for a config where there is room for one. */
export function primaryRange({ ranges }: Pick<Configuration, 'ranges'>): SubnetRange {
  return first(ranges)
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
  const { type, section } = network.backend
  const backend = backends.find((known) => known.type === type)
  if (backend === undefined) {
    const types = backends.map((known) => known.type)
    throw new ConfigError('Backend.Type', type, `must be one of ${types.join(', ')}${suggestion(type, types)}`)
  }
  refuseFamilies(backend, familiesOf(network.ranges))
  validateLevel(section, backendSchema(backend.configKeys))
  return {
    text,
    network,
    ranges: network.ranges,
    own: { backend, config: backend.parseConfig(section) },
    remarks: [...remarks, ...backendKeyWarnings(network.backend, Object.keys(backend.configKeys))],
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

/**
 * Why a daemon that holds these subnets cannot switch to `next` while it runs; undefined when it can. A family may go while
 * another stays: the containers have addresses of that one.
 */
export function refusesChange(running: Configuration, next: Configuration, subnets: Subnets): string | undefined {
  const kept = valuesOf(subnets).filter((subnet) => inFamily(next.ranges, prefixFamily(subnet)) !== undefined)
  const subnet = first(subnets)
  const family = prefixFamily(subnet)
  if (kept.length === 0)
    return `network config: EnableIPv${family}: false, but our subnet ${subnet} needs it: keeping it; to change families, enable both for a while`
  const whys = kept.map((each) => refusesSubnet(running, next, each))
  return whys.find((why) => why !== undefined)
}

function refusesSubnet(running: Configuration, next: Configuration, subnet: Prefix): string | undefined {
  const family = prefixFamily(subnet)
  const range = inFamily(next.ranges, family)
  if (range === undefined) return undefined
  const { network, subnetLen } = range
  const keys = RANGE_KEYS[family]
  const restart = 'stop flanneld and dockerd on every host, delete the leases under subnets/, and start them again'
  if (!contains(network, subnet)) {
    return `network config: ${keys.network}: ${network} does not contain our subnet ${subnet}: keeping ${inFamily(running.ranges, family)?.network ?? 'the one we have'}; to move, ${restart}`
  }
  if (lengthOf(subnet) !== subnetLen) {
    return `network config: ${keys.subnetLen}: ${subnetLen} differs from our subnet ${subnet}: keeping ${lengthOf(subnet)}; to change it, ${restart}`
  }
  return undefined
}
