// The network config as it is stored, and replacing it: checked by the daemon's own parser before anything is written.
// Invariant: a write is a transaction on the revision it was compared with; an invalid config is never written.
import type { AnyBackend } from '../backend.ts'
import { type ConfigChange, configChange } from './config-change.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { ConfigError, EtcdError, OperatorError, messageOf } from '../errors.ts'
import type { Store } from '../etcd/store.ts'
import { findLeases } from '../lease/claim.ts'

/** The config key as it is. */
export interface StoredConfig {
  readonly key: string
  /** As stored, byte for byte; null when the key is absent. */
  readonly config: string | null
  /** Revision of its last write, "0" when absent. */
  readonly revision: string
  readonly valid: boolean
  /** What is wrong with it, or the daemon's warnings. */
  readonly remarks: readonly string[]
}

/** The verdict on a new config, before it is written. */
export type ConfigVerdict =
  | {
      readonly valid: true
      /** One line each. */
      readonly warnings: readonly string[]
      /** Compared with the stored config; null when that could not be read, for the reason in `trouble`. */
      readonly compared: ComparedConfig | null
      readonly trouble: string | null
    }
  | {
      readonly valid: false
      /** The key's path, as in `Backend.VNI`, its value and the rule it breaks. */
      readonly path: string
      readonly value: unknown
      readonly rule: string
      /** All three in one line. */
      readonly message: string
    }

/** A new config compared with the stored one. */
export interface ComparedConfig extends ConfigChange {
  readonly key: string
  /** Revision of the stored one that it was compared with, "0" for none. */
  readonly revision: string
  /** Whether it is the stored one, byte for byte. */
  readonly same: boolean
}

/** The result of a write. */
export interface ConfigWritten {
  readonly comparison: ComparedConfig
  /** False when it was stored already. */
  readonly written: boolean
  /** Revision of the config key now. */
  readonly revision: string
}

/** Where the config of a network is, and which backends it may name. */
export interface ConfigContext {
  readonly store: Store
  readonly prefix: string
  readonly backends: readonly AnyBackend[]
}

/** Reads it. */
export async function getConfig({ store, prefix, backends }: ConfigContext): Promise<StoredConfig> {
  const key = `${prefix}/config`
  const { entry } = await store.get(key)
  if (entry === undefined) return { key, config: null, revision: '0', valid: false, remarks: ['there is none'] }
  const config = entry.value.toString()
  const judged = judge(config, backends)
  const remarks = judged instanceof ConfigError ? [judged.message] : judged.remarks.map(({ text: line }) => line)
  return { key, config, revision: entry.modRevision, valid: !(judged instanceof ConfigError), remarks }
}

/** Checks a new config, and compares it with the stored one if that can be read. Writes nothing. */
export async function checkConfig(text: string, context: ConfigContext): Promise<ConfigVerdict> {
  const next = judge(text, context.backends)
  if (next instanceof ConfigError) {
    const { path, value, rule, message } = next
    return { valid: false, path, value: value ?? null, rule, message }
  }
  const warnings = next.remarks.map(({ text: line }) => line)
  try {
    return { valid: true, warnings, compared: await compare(next, context), trouble: null }
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error
    return { valid: true, warnings, compared: null, trouble: messageOf(error) }
  }
}

/**
 * Stores a config. With `revision` only if the stored one still has that revision; with `force` also when hosts could
 * not follow. Throws ConfigError for one that is not valid and OperatorError when it is not written.
 */
export async function setConfig(
  text: string,
  { force, revision }: { readonly force: boolean; readonly revision: string | undefined },
  context: ConfigContext,
): Promise<ConfigWritten> {
  const next = judge(text, context.backends)
  if (next instanceof ConfigError) throw next
  const comparison = await compare(next, context)
  const { key, refusal, same } = comparison
  const overtaken = new OperatorError(`config: ${key}: it changed in the meantime: nothing written; try again`)
  if (revision !== undefined && revision !== comparison.revision) throw overtaken
  if (refusal !== null && !force) throw new OperatorError(`config: refused: ${refusal}`)
  if (same) return { comparison, written: false, revision: comparison.revision }
  const guards = [{ key, modRevision: comparison.revision }]
  const written = await context.store.commit(guards, [{ type: 'put', key, value: text, lease: '0' }])
  if (written === undefined) throw overtaken
  return { comparison, written: true, revision: written }
}

async function compare(next: Configuration, { store, prefix, backends }: ConfigContext): Promise<ComparedConfig> {
  const key = `${prefix}/config`
  const { entries } = await store.range(`${prefix}/`)
  const entry = entries.find((candidate) => candidate.key === key)
  const stored = entry === undefined ? undefined : judge(entry.value.toString(), backends)
  const before = stored instanceof ConfigError ? undefined : stored
  return {
    key,
    revision: entry?.modRevision ?? '0',
    same: entry?.value.toString() === next.text,
    ...configChange(before, next, findLeases(prefix, entries)),
  }
}

function judge(text: string, backends: readonly AnyBackend[]): Configuration | ConfigError {
  try {
    return readConfiguration(text, backends)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}
