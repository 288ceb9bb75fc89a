// docs/json.md held against what a program really prints: an example there stands for its schema.
import type { ExecutionContext } from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../actors/flanneld.ts'

/** The examples under `## flanneld VERB --json`, in their order. */
export function examplesOf(verb: string): readonly unknown[] {
  const sections = readFileSync(join(ROOT, 'docs/json.md'), 'utf8').split(/^## /m)
  const section = sections.find((part) => part.startsWith(`flanneld ${verb} --json\n`))
  if (section === undefined) throw new Error(`docs/json.md has no section on flanneld ${verb} --json`)
  return Array.from(section.matchAll(/^```json\n([^]*?)^```/gm), ([, text = '']) => JSON.parse(text) as unknown)
}

/** Kinds of values by path: `status.store.endpoints[].url` is a string. */
type Schema = ReadonlyMap<string, ReadonlySet<string>>

function schemaOf(values: readonly unknown[]): Schema {
  const schema = new Map<string, Set<string>>()
  const visit = (value: unknown, path: string): void => {
    const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
    schema.set(path, (schema.get(path) ?? new Set()).add(kind))
    if (Array.isArray(value)) for (const one of value) visit(one, `${path}[]`)
    else if (typeof value === 'object' && value !== null)
      for (const [key, one] of Object.entries(value)) visit(one, path === '' ? key : `${path}.${key}`)
  }
  for (const value of values) visit(value, '')
  return schema
}

/**
 * Asserts that the values, all of one verb, have no field that its examples lack and every field they have, each of the
 * same kind, null aside. `rare` are those that no value need have: they depend on what this machine is.
 */
export function assertDocumented(
  t: ExecutionContext,
  verb: string,
  values: readonly unknown[],
  rare: readonly string[] = [],
): void {
  const [documented, found] = [schemaOf(examplesOf(verb)), schemaOf(values)]
  t.deepEqual(
    [...found.keys()].filter((path) => !documented.has(path)),
    [],
    `${verb}: undocumented`,
  )
  const missing = [...documented.keys()].filter((path) => !found.has(path) && !rare.includes(path))
  t.deepEqual(missing, [], `${verb}: documented, but nowhere found`)
  for (const [path, kinds] of found) {
    const known = documented.get(path)
    const other = [...kinds].filter((kind) => kind !== 'null' && known?.has(kind) !== true)
    // An example may show null where there is mostly something.
    if (known?.size === 1 && known.has('null')) continue
    t.deepEqual(other, [], `${verb}: ${path}: documented as ${[...(known ?? [])].join()}`)
  }
}
