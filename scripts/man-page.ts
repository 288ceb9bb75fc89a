// The manual page: the prose of packaging/man with the options and verbs of the program's own tables.
// `node scripts/man-page.ts VERSION DATE` prints it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROWS, type NamedRow, variableOf } from '../src/options/table.ts'
import { VERBS, VERB_NAMES, type Verb, defaultOf } from '../src/options/usage.ts'

const FOLDER = join(import.meta.dirname, '../packaging/man')

/** The page's source for man(1), of a program of this version, dated "2026-11-21". */
export function manPage(version: string, date: string): string {
  const filled: Readonly<Record<string, string>> = {
    VERSION: version,
    DATE: date,
    OPTIONS: ROWS.map(option).join('\n'),
    VERBS: VERB_NAMES.map(verb).join('\n'),
  }
  return readFileSync(join(FOLDER, 'flanneld.8.in'), 'utf8')
    .replace(/^\.\\".*\n/, '')
    .replaceAll(/@([A-Z]+)@/g, (_, name: string) => filled[name] ?? '')
}

/** Text for the formatter: a backslash and a dash have meanings of their own, and so has a dot or quote that opens a line. */
function escape(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll(/^\./gm, '\\&.')
}

function option(row: NamedRow): string {
  const { argument } = row.format
  const title =
    argument === undefined ? `.B \\-${escape(row.flag)}` : `.BI \\-${escape(row.flag)} " ${escape(argument)}"`
  const unsupported =
    row.unsupported === undefined ? '' : row.unsupported === 'refused' ? ' Not supported yet.' : ' Without effect.'
  return [
    '.TP',
    title,
    `${escape(row.doc + defaultOf(row.default))}.${unsupported}`,
    '.br',
    `Environment: \\fB${escape(variableOf(row.flag))}\\fR`,
  ].join('\n')
}

function verb(name: Verb): string {
  return ['.TP', `.B ${escape(name)}`, escape(VERBS[name])].join('\n')
}

if (import.meta.main) {
  const [version, date] = process.argv.slice(2)
  if (version === undefined || date === undefined) throw new Error('usage: man-page.ts VERSION DATE')
  process.stdout.write(manPage(version, date))
}
