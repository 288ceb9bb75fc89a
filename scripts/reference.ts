// Writes docs/reference.md from the tables that the program itself reads: `node scripts/reference.ts`. A test keeps them equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BACKENDS } from '../backends/index.ts'
import type { ConfigKey } from '../src/backend.ts'
import { LIVE } from '../src/network-config/config-change.ts'
import { TOP_KEYS } from '../src/network-config/keys.ts'
import { type NamedRow, ROWS, variableOf } from '../src/options/table.ts'
import { VERBS, VERB_NAMES } from '../src/options/usage.ts'

/** Where it stands. */
export const REFERENCE = join(import.meta.dirname, '../docs/reference.md')

/** The document as it has to be. */
export function reference(): string {
  return [
    '<!-- Made by scripts/reference.ts from src/options, src/network-config/keys.ts and backends: change those. -->',
    '',
    '# Reference',
    '',
    '## Verbs',
    '',
    '`flanneld` alone runs the daemon; `flanneld VERB` asks it. `flanneld VERB -help` says which flags each takes and what its',
    'exit status means; `-json` prints what [json.md](json.md) describes.',
    '',
    '| Verb | What it does |',
    '| --- | --- |',
    ...VERB_NAMES.map((verb) => `| \`${verb}\` | ${cell(VERBS[verb])} |`),
    '',
    '## Flags',
    '',
    '`-name value`, `-name=value` and `--name` are alike; a boolean stands alone or as `-name=false`. Each flag can be given by',
    'its variable instead; a flag beats its variable, and an empty variable is none. Those marked *own* are not known to',
    "Go's flanneld, whose others these are. Where nothing else is said, a change needs a restart, which loses no packet.",
    '',
    '| Flag | Variable | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...ROWS.filter(({ unsupported }) => unsupported === undefined).map(flag),
    '| `-version` | | | print the version and exit |',
    '| `-help` | | | print the usage and exit |',
    '',
    "Known, so that a command line of Go's flanneld is read, but not carried out:",
    '',
    '| Flag | Variable | When given |',
    '| --- | --- | --- |',
    ...ROWS.filter(({ unsupported }) => unsupported !== undefined).map(
      (row) =>
        `| ${name(row)} | \`${variableOf(row.flag)}\` | ${row.unsupported === 'refused' ? 'refused with anything but its default' : 'warned about, without effect'} |`,
    ),
    '',
    '## Network config',
    '',
    'One JSON object at `<etcd-prefix>/config`, for all hosts; `flanneld config check FILE` judges one, `flanneld config set FILE`',
    'judges and stores it. Keys are found in any case. A key nobody reads is warned about, with the nearest that is known. A value',
    'against its rule is refused with path, value and rule: at the start the daemon waits for a better one, while it runs it',
    'keeps the one it has. Hosts that run follow a change at once; what that means for each key is in the last column. A host for',
    'whose subnet a new `Network` or `SubnetLen` has no place keeps the config it has, and says so.',
    '',
    '| Key | Type | Default | Rule | When it changes |',
    '| --- | --- | --- | --- | --- |',
    ...Object.entries(TOP_KEYS).map(
      ([key, it]) => `| \`${key}\` | ${it.type} | ${cell(it.default)} | ${cell(it.rule)} | ${cell(it.change)} |`,
    ),
    '',
    ...BACKENDS.flatMap(({ type, configKeys }) => backend(type, configKeys)),
  ].join('\n')
}

function flag(row: NamedRow): string {
  const own = row.own === true ? '; *own*' : ''
  return `| ${name(row)} | \`${variableOf(row.flag)}\` | ${defaultOf(row.default)} | ${cell(row.doc)}${own} |`
}

function name({ flag: word, format: { argument } }: NamedRow): string {
  return `\`-${word}${argument === undefined ? '' : ` ${cell(argument)}`}\``
}

function defaultOf(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : value === undefined ? '' : String(value)
  return text === '' ? '' : `\`${text}\``
}

function backend(type: string, keys: Readonly<Record<string, ConfigKey>>): readonly string[] {
  const rows = Object.entries(keys)
  const heading = [`### Backend \`${type}\``, '']
  if (rows.length === 0) return [...heading, '`Type` alone; no other keys.', '']
  return [
    ...heading,
    '| Key | Type | Default | Rule | Meaning | When it changes |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(([key, { default: value, range, doc, change = LIVE }]) => {
      const [kind, rule] =
        range === undefined ? ['boolean', 'true or false'] : ['integer', `${range[0]} to ${range[1]}`]
      return `| \`Backend.${key}\` | ${kind} | \`${value}\` | ${rule} | ${cell(doc)} | ${cell(change)} |`
    }),
    '',
  ]
}

/** A text within a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

if (import.meta.main) writeFileSync(REFERENCE, reference())
