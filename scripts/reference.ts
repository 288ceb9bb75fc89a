// Writes docs/reference.md from the tables that the program itself reads: `node scripts/reference.ts`. A test keeps them equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BACKENDS } from '../backends/index.ts'
import type { ConfigKey } from '../src/backend.ts'
import { LIVE } from '../src/network-config/config-change.ts'
import { TOP_KEYS } from '../src/network-config/keys.ts'
import { type NamedRow, ROWS, variableOf } from '../src/options/table.ts'
import { VERBS, VERB_NAMES } from '../src/options/usage.ts'

/** Its path. */
export const REFERENCE = join(import.meta.dirname, '../docs/reference.md')

/** The expected document. */
export function reference(): string {
  return [
    '<!-- Made by scripts/reference.ts from src/options, src/network-config/keys.ts and backends: change those. -->',
    '',
    '# Reference',
    '',
    '## Verbs',
    '',
    '`flanneld` without a verb runs the daemon. `flanneld VERB -help` prints the flags and exit statuses of a verb. `-json` prints',
    'the values that [json.md](json.md) describes.',
    '',
    '| Verb | What it does |',
    '| --- | --- |',
    ...VERB_NAMES.map((verb) => `| \`${verb}\` | ${cell(VERBS[verb])} |`),
    '',
    '## Flags',
    '',
    '`-name value`, `-name=value` and `--name` are equivalent. A boolean needs no value; `-name=false` turns it off. Each flag has',
    'an environment variable. The flag takes precedence, and an empty variable counts as unset. Flags marked *own* do not exist in',
    "Go's flanneld; all others do. Unless noted, a change needs a restart, which loses no packet.",
    '',
    '| Flag | Variable | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...ROWS.filter(({ unsupported }) => unsupported === undefined).map(flag),
    '| `-version` | | | print the version and exit |',
    '| `-help` | | | print the usage and exit |',
    '',
    "Accepted for compatibility with command lines of Go's flanneld, but not supported:",
    '',
    '| Flag | Variable | When given |',
    '| --- | --- | --- |',
    ...ROWS.filter(({ unsupported }) => unsupported !== undefined).map(
      (row) =>
        `| ${name(row)} | \`${variableOf(row.flag)}\` | ${row.unsupported === 'refused' ? 'any value but the default is refused' : 'a warning, no effect'} |`,
    ),
    '',
    '## Network config',
    '',
    'One JSON object at `<etcd-prefix>/config` for all hosts. `flanneld config check FILE` checks one, `flanneld config set FILE`',
    'checks and stores it. Keys are case-insensitive. An unknown key is a warning that names the nearest known key. An invalid value',
    'is refused with path, value and rule, and with line and column if the config has several lines: a starting daemon waits for a',
    'valid config, a running one keeps its config. Running hosts follow a change at once; the last column says what that means for',
    'each key. A host whose subnet does not fit a new `Network` or `SubnetLen` keeps its config and reports it.',
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
  if (rows.length === 0) return [...heading, 'Only `Type`.', '']
  return [
    ...heading,
    '| Key | Type | Default | Rule | Meaning | When it changes |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(([key, known]) => {
      const { default: value, doc, change = LIVE } = known
      const [kind, rule] = ruleOf(known)
      return `| \`Backend.${key}\` | ${kind} | \`${value}\` | ${rule} | ${cell(doc)} | ${cell(change)} |`
    }),
    '',
  ]
}

function ruleOf({ default: value, range, choices }: ConfigKey): readonly [kind: string, rule: string] {
  if (range !== undefined) return ['integer', `${range[0]} to ${range[1]}`]
  if (choices !== undefined) return ['text', choices.map((choice) => `"${choice}"`).join(', ')]
  return typeof value === 'string' ? ['text', ''] : ['boolean', 'true or false']
}

/** Text for a table cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

if (import.meta.main) writeFileSync(REFERENCE, reference())
