// One JSON object of the network config, read the way Go reads it: keys in any case, null like absent, types strict.
import type { ConfigSection, JsonObject } from '../backend.ts'
import { ConfigError, messageOf } from '../errors.ts'
import { type ValueFormat, configBoolean, configInteger, configText, text } from './formats.ts'
import { HIDDEN, Secret } from '../text/secret.ts'
import { printable } from '../text/plain-text.ts'
import { suggestion } from '../text/did-you-mean.ts'
import type { ConfigRemark } from './remark.ts'
import { invisibleIn } from '../text/odd-characters.ts'

/** A section that can also be asked for texts and for whether a key is there. */
export interface Section extends ConfigSection {
  /** The value as JSON holds it; undefined when absent or null. */
  value(key: string): unknown
  /** The checked text of a key, undefined when absent. Throws ConfigError. */
  text(key: string): string | undefined
  /** The value of a key in a format, undefined when absent. Throws ConfigError. */
  read<T>(key: string, format: ValueFormat<T>): T | undefined
  /** A ConfigError about this section's key, with the value it has unless that is hidden. */
  error(key: string, rule: string, hidden?: boolean): ConfigError
}

/**
 * A section over a parsed object. `path` is its place in the config, `Backend` or '' for the top. With `configKeys`, asking
 * for a key that is not among them is a programming error: it would be warned about as unknown, yet have an effect.
 */
export function createSection(raw: JsonObject, path: string, configKeys?: readonly string[]): Section {
  const values = new Map<string, unknown>()
  // Of keys that differ in case alone the last one counts, as in Go.
  for (const [key, value] of Object.entries(raw)) values.set(key.toLowerCase(), value)
  const known = configKeys && new Set(configKeys.map((key) => key.toLowerCase()))
  const find = (key: string): unknown => {
    if (known?.has(key.toLowerCase()) === false) throw new TypeError(`config key ${key} is not declared`)
    return values.get(key.toLowerCase()) ?? undefined
  }
  const error = (key: string, rule: string, hidden = false): ConfigError =>
    new ConfigError(pathOf(path, key), hidden ? HIDDEN : find(key), rule)
  const read = <T>(key: string, format: ValueFormat<T>): T | undefined => {
    const value = find(key)
    if (value === undefined) return undefined
    try {
      format.validate(value)
    } catch (broken) {
      throw error(key, messageOf(broken))
    }
    return value
  }
  return {
    value: find,
    error,
    read,
    integer: (key, fallback, min, max) => read(key, configInteger(min, max)) ?? fallback,
    boolean: (key, fallback) => read(key, configBoolean) ?? fallback,
    text: (key) => read(key, text),
    words: (key, fallback, check) => read(key, configText(check)) ?? fallback,
    secret: (key, check) => {
      const value = find(key)
      if (value === undefined) return undefined
      const format: ValueFormat<string> = configText(check)
      try {
        format.validate(value)
        return new Secret(value)
      } catch (broken) {
        throw error(key, messageOf(broken), true)
      }
    },
  }
}

/** A warning for each unknown key, with the nearest known one, and for each key given twice. */
export function keyWarnings(raw: JsonObject, path: string, knownKeys: readonly string[]): readonly ConfigRemark[] {
  const warnings: ConfigRemark[] = []
  const seen = new Map<string, string>()
  for (const key of Object.keys(raw)) {
    const name = `network config: ${pathOf(path, key)}`
    const folded = key.toLowerCase()
    const earlier = seen.get(folded)
    seen.set(folded, key)
    if (!knownKeys.some((known) => known.toLowerCase() === folded)) {
      warnings.push({ level: 'warning', text: `${name}: unknown key, ignored${hintAt(key, path, knownKeys)}` })
    } else if (earlier !== undefined) {
      const same = `the same key as ${printable(earlier, MOST_KEY)}: the last one counts`
      warnings.push({ level: 'warning', text: `${name}: ${same}` })
    }
  }
  return warnings
}

/** What an unknown key was meant to be, or where it belongs. */
function hintAt(key: string, path: string, knownKeys: readonly string[]): string {
  const odd = invisibleIn(key)
  if (odd !== undefined) return `: has ${odd}`
  const folded = key.toLowerCase()
  if (path === '' && OF_BACKENDS.includes(folded)) return ': it belongs in Backend'
  if (path !== '' && OF_NETWORK.test(key)) return `: it belongs at the top level, not in ${path}`
  return suggestion(key, knownKeys)
}

/** Keys of one level that are often put into the other. */
const OF_BACKENDS = ['type', 'vni', 'port', 'mtu', 'directrouting', 'learning', 'gbp']
const OF_NETWORK = /^(IPv6)?(Network|Subnet(Len|Min|Max))$|^Enable(IPv[46]|NFTables)$/i

/** Characters shown of a key. Known keys are shorter. */
const MOST_KEY = 60

function pathOf(path: string, key: string): string {
  const name = printable(key, MOST_KEY)
  return path === '' ? name : `${path}.${name}`
}
