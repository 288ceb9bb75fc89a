// The tables of keys as convict schemas, which validate one level of the network config: its top, or a backend's keys.
// The parser does what convict cannot: it finds keys in any case, takes null as absent, warns about unknown keys, and checks rules
// that span keys (range.ts). convict splits a nested object at the dots in its keys, so each level has its own schema. It throws
// one text for all errors, so the message comes from the format of the first broken key.
import convict from 'convict'
import type { ConfigKey, ConfigKeys } from '../backend.ts'
import { messageOf } from '../errors.ts'
import * as format from './formats.ts'
import { TOP_KEYS } from './keys.ts'
import type { Section } from './section.ts'

/** A convict schema, with the format of each key. */
export interface LevelSchema {
  readonly formats: ReadonlyMap<string, format.ValueFormat<unknown>>
  readonly schema: convict.Schema<Record<string, unknown>>
  /** Keys whose values are never printed. */
  readonly hidden: readonly string[]
}

/** The top level. `Backend` is a level of its own; the bounds of the lengths depend on the network. */
export const TOP_SCHEMA = schemaOf(
  Object.entries(TOP_KEYS).flatMap(([key, { type }]) => {
    if (type === 'boolean') return [[key, format.configBoolean] as const]
    return type === 'text' ? [[key, format.text] as const] : []
  }),
)

/** The keys of one backend. */
export const backendSchema: (keys: ConfigKeys) => LevelSchema = oncePerTable((keys) =>
  schemaOf(
    Object.entries(keys).map(([key, known]) => [key, formatOf(known)]),
    Object.keys(keys).filter((key) => keys[key]?.secret),
  ),
)

function formatOf({ default: value, range, choices }: ConfigKey): format.ValueFormat<unknown> {
  if (range !== undefined) return format.configInteger(range[0], range[1])
  if (choices !== undefined) return format.configChoice(choices)
  return typeof value === 'string' ? format.configText() : format.configBoolean
}

/** Throws a ConfigError for the first key whose value breaks its rule. Keys for which `skips` is true are not read. */
export function validateLevel(
  section: Section,
  { formats, schema, hidden }: LevelSchema,
  skips: (key: string) => boolean = () => false,
): void {
  const config = convict(schema, { args: [], env: {} })
  const read = [...formats].filter(([key]) => !skips(key))
  for (const [key] of read) {
    const value = section.value(key)
    // An object is refused by every format, and within a list convict does not take it apart.
    config.set(key, typeof value === 'object' && value !== null ? [value] : (value ?? null))
  }
  try {
    config.validate({ allowed: 'strict' })
  } catch (error) {
    for (const [key, known] of read) {
      const rule = ruleBroken(known, section.value(key))
      if (rule !== undefined) throw section.error(key, rule, hidden.includes(key))
    }
    throw error
  }
}

function schemaOf(
  formats: Iterable<readonly [string, format.ValueFormat<unknown>]>,
  hidden: readonly string[] = [],
): LevelSchema {
  const byKey = new Map(formats)
  for (const known of byKey.values()) convict.addFormat(known)
  const schema = Object.fromEntries(
    Array.from(byKey, ([key, { name }]) => [key, { default: null, nullable: true, format: name }]),
  )
  return { formats: byKey, schema, hidden }
}

function ruleBroken(known: format.ValueFormat<unknown>, value: unknown): string | undefined {
  if (value === undefined) return undefined
  try {
    known.validate(value)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Formats are registered once: when the schema of a table is first asked for. */
function oncePerTable(make: (keys: ConfigKeys) => LevelSchema): (keys: ConfigKeys) => LevelSchema {
  const made = new WeakMap<ConfigKeys, LevelSchema>()
  return (keys) => {
    const schema = made.get(keys) ?? make(keys)
    made.set(keys, schema)
    return schema
  }
}
