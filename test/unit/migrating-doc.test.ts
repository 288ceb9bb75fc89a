// docs/migrating.md names flags: those lists are held against the table of options.
import test from 'ava'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KLOG_FLAGS } from '../../src/options/klog.ts'
import { ROWS } from '../../src/options/table.ts'
import { VERB_NAMES } from '../../src/options/usage.ts'

const ROOT = join(import.meta.dirname, '../..')
const text = readFileSync(join(ROOT, 'docs/migrating.md'), 'utf8')

/** The flags named in the paragraph that starts with this text. */
function flagsIn(beginning: string): readonly string[] {
  const paragraph = text.split('\n\n').find((one) => one.startsWith(beginning)) ?? ''
  return Array.from(paragraph.matchAll(/`-([a-z_-]+)`/g), (match) => match[1] ?? '').toSorted()
}

for (const [beginning, belongs] of [
  ['**Flags of Go', ({ unsupported }) => unsupported === 'refused'],
  ['**Accepted without effect', ({ unsupported }) => unsupported === 'ignored'],
  ['**Only ours', ({ own }) => own === true],
] as const satisfies readonly (readonly [string, (row: (typeof ROWS)[number]) => boolean])[]) {
  test(`the paragraph "${beginning}" names all the flags it is about, and no other`, (t) => {
    const flags = ROWS.filter(belongs).map(({ flag }) => flag)
    t.true(flags.length > 0)
    t.deepEqual(flagsIn(beginning), flags.toSorted())
  })
}

for (const name of ['migrating.md', 'security.md']) {
  test(`docs/${name} names only files and verbs there are`, (t) => {
    const doc = readFileSync(join(ROOT, 'docs', name), 'utf8')
    const files = Array.from(doc.matchAll(/`((?:test|examples)\/[\w./-]+)`/g), (match) => match[1] ?? '')
    t.true(files.length > 0)
    t.deepEqual(
      files.filter((file) => !existsSync(join(ROOT, file))),
      [],
    )
    const verbs = Array.from(doc.matchAll(/(?:^ {4,}|`)flanneld ([a-z][a-z-]+)/gm), (match) => match[1] ?? '')
    t.true(verbs.length > 0)
    t.deepEqual(
      verbs.filter((verb) => !(VERB_NAMES as readonly string[]).includes(verb)),
      [],
    )
    const flags = Array.from(doc.matchAll(/[ `]-([a-z][a-z-]{3,})(?=[=` ])/g), (match) => match[1] ?? '')
    const known = new Set([...ROWS.map(({ flag }) => flag), ...KLOG_FLAGS.keys(), 'bundle'])
    t.deepEqual(
      flags.filter((flag) => !known.has(flag)),
      [],
    )
  })
}
