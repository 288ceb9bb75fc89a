// The network config, as stored in etcd under <prefix>/config: JSON text to a checked value, or a ConfigError with path,
// value and rule. Defaults and rules are those of Go's flanneld; differences are noted where they occur.
import { type ConfigRemark } from './remark.ts'
import type { JsonObject } from '../backend.ts'
import { type Section, createSection, keyWarnings } from './section.ts'
import { ConfigError } from '../errors.ts'
import { MOST_VALUE_BYTES, droppedBytes } from '../etcd/oversized.ts'
import { invisibleIn, typesetIn } from '../text/odd-characters.ts'
import { findJsonFault } from './json-text.ts'
import { TOP_KEYS } from './keys.ts'
import { parseRange, rangeKeys } from './range.ts'
import { TOP_SCHEMA, validateLevel } from './schema.ts'
import { type SomeFamily, byFamily, inFamily, some } from '../ip/by-family.ts'
import type { Family } from '../ip/address.ts'
import type { SubnetRange } from '../lease/allocate.ts'

/** The `Backend` object. */
export interface BackendSection {
  /** Its Type in lower case; whether there is such a backend is not known here. */
  readonly type: string
  /** For backend.parseConfig. */
  readonly section: Section
  /** As stored; for keyWarnings against backend.configKeys. */
  readonly raw: JsonObject
}

/** A checked network config. */
export interface NetworkConfig {
  /** Those of families that are switched on. */
  readonly ranges: SomeFamily<SubnetRange>
  readonly enableNFTables: boolean
  readonly backend: BackendSection
}

/** A config with remarks for the operator. */
export interface ParsedNetworkConfig {
  readonly config: NetworkConfig
  readonly remarks: readonly ConfigRemark[]
}

const KEYS = Object.keys(TOP_KEYS)
/** The quotes are left from a shell, a YAML file or an env file. */
const IN_QUOTES = 'the text is in quotes: remove them'

/** Reads the text of the config key. Throws ConfigError. */
export function parseNetworkConfig(text: string): ParsedNetworkConfig {
  const raw = parseJson(text)
  if (!isObject(raw)) {
    const quoted = typeof raw === 'string' && raw.trimStart().startsWith('{') ? `: ${IN_QUOTES}` : ''
    throw new ConfigError('(whole)', raw, `must be an object, such as {"Network": "10.2.0.0/16"}${quoted}`)
  }
  const section = createSection(raw, '', KEYS)
  const remarks = [...keyWarnings(raw, '', KEYS)]
  const note = (text: string): void => void remarks.push({ level: 'note', text })
  const enabled4 = section.boolean('EnableIPv4', true)
  const enabled6 = section.boolean('EnableIPv6', false)
  remarks.push(...unusedNetworks(section, enabled4, enabled6))
  // A family that is off has no effect, whatever its keys hold.
  const off = [enabled4 ? [] : rangeKeys(4), enabled6 ? [] : rangeKeys(6)].flat()
  validateLevel(section, TOP_SCHEMA, (key) => off.includes(key))
  const enabled = (family: Family): boolean => inFamily({ ipv4: enabled4, ipv6: enabled6 }, family) === true
  const ranges = some(byFamily((family) => (enabled(family) ? parseRange(section, family, note) : undefined)))
  if (ranges === undefined) throw section.error('EnableIPv4', 'must be true unless EnableIPv6 is')
  const config: NetworkConfig = {
    ranges,
    enableNFTables: section.boolean('EnableNFTables', false),
    backend: parseBackend(section.value('Backend'), note),
  }
  return { config, remarks }
}

/** Networks that are given, but not used. */
function unusedNetworks(section: Section, enabled4: boolean, enabled6: boolean): readonly ConfigRemark[] {
  const given = (key: string): boolean => section.value(key) !== undefined
  const texts = [
    !enabled4 && given('Network') ? ['network config: Network: no effect: EnableIPv4 is false'] : [],
    !enabled6 && given('IPv6Network') ? ['network config: IPv6Network: no effect: EnableIPv6 is not true'] : [],
  ]
  return texts.flat().map((text) => ({ level: 'note', text }))
}

/** Lines about keys of the Backend object that its backend does not read. */
export function backendKeyWarnings(backend: BackendSection, configKeys: readonly string[]): readonly ConfigRemark[] {
  return keyWarnings(backend.raw, 'Backend', ['Type', ...configKeys])
}

function parseBackend(value: unknown, note: (text: string) => void): BackendSection {
  if (value === undefined) {
    // Go's code falls back to udp, against its own documentation.
    note('network config: Backend: not given, taking vxlan')
    return { type: 'vxlan', section: createSection({}, 'Backend'), raw: {} }
  }
  if (!isObject(value)) throw new ConfigError('Backend', value, 'must be an object, such as {"Type": "vxlan"}')
  const section = createSection(value, 'Backend')
  const type = section.text('Type')?.toLowerCase()
  if (type === undefined || type === '') throw section.error('Type', 'must name a backend, such as "vxlan"')
  return { type, section, raw: value }
}

function parseJson(text: string): unknown {
  const bytes = droppedBytes(text) ?? Buffer.byteLength(text)
  if (bytes > MOST_VALUE_BYTES)
    throw new ConfigError('(whole)', `${bytes} bytes`, `must be at most ${MOST_VALUE_BYTES} bytes: more is not read`)
  try {
    return JSON.parse(text)
  } catch {
    const fault = findJsonFault(text)
    const where = fault === undefined ? '(whole)' : `line ${fault.line}, column ${fault.column}`
    const odd = /^\s*['`]\s*\{[^]*['`]\s*$/.test(text) ? `: ${IN_QUOTES}` : oddFirst(fault?.found ?? '')
    const rule = `must be JSON${fault === undefined ? '' : `: expected ${fault.expected}`}${odd}`
    throw new ConfigError(where, fault?.found ?? text, fault?.found === '' ? `${rule}, but the text ends` : rule)
  }
}

/** The end of a message about a text that starts with an invisible character or with a quote that JSON does not have. */
function oddFirst(text: string): string {
  const first = text.slice(0, 1)
  const odd = invisibleIn(first)?.replace(' at position 1', '') ?? typesetIn(first)
  if (odd !== undefined) return `: ${odd}`
  return first === "'" ? `: JSON has double quotes, " and no '` : ''
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
