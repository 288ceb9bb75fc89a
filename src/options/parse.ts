// The options of a command line over those of the environment over defaults, validated. Pure; main.ts prints and exits.
import { OperatorError, show } from '../errors.ts'
import { type GoFlags, parseGoFlags, unexpectedWord } from './go-flags.ts'
import { withSchemes } from '../etcd/schemes.ts'
import { KLOG_FLAGS, klogWarnings } from './klog.ts'
import { nearMisses } from './near-misses.ts'
import { oddityIn } from '../text/odd-characters.ts'
import { type NamedRow, PREFIX, ROWS, TABLE, variableOf } from './table.ts'
import { validated } from './schema.ts'
import type { Options } from './type.ts'
import { VERB_NAMES, type Verb, usage } from './usage.ts'

export type { Options } from './type.ts'
/** The environment, as process.env. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a command line asks for. A verb's arguments are undecoded and include the flags before it. */
export type Invocation =
  | { readonly kind: 'run'; readonly options: Options; readonly warnings: readonly string[] }
  | { readonly kind: 'verb'; readonly verb: Verb; readonly args: readonly string[] }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }

/** The flags of the daemon, without dash, and whether each takes a value. */
export const DAEMON_FLAGS: ReadonlyMap<string, 'boolean' | 'value'> = new Map([
  ...ROWS.map((row): [string, 'boolean' | 'value'] => [
    row.flag,
    row.format.argument === undefined ? 'boolean' : 'value',
  ]),
  ...KLOG_FLAGS,
  ['help', 'boolean'],
  ['h', 'boolean'],
  ['version', 'boolean'],
])

/** The flag or variable that a value came from, as messages name it. */
type Origin = (row: { readonly flag: string }) => string

/** The first needs the second. */
const PAIRS = [
  ['etcdCertfile', 'etcdKeyfile'],
  ['etcdKeyfile', 'etcdCertfile'],
  ['etcdUsername', 'etcdPassword'],
  ['etcdPassword', 'etcdUsername'],
] as const

/**
 * Reads the command line (without program name) and the environment. Throws UsageError for a malformed command
 * line (print usage() with it) and OperatorError for a bad value, which names the flag or variable it came from.
 */
export function parseOptions(argv: readonly string[], env: Environment): Invocation {
  const flags = parseGoFlags(argv, DAEMON_FLAGS)
  if (asked(flags, 'help') || asked(flags, 'h')) return { kind: 'help', text: usage() }
  if (asked(flags, 'version')) return { kind: 'version' }
  const [word, ...rest] = flags.rest
  if (word !== undefined) {
    const verb = VERB_NAMES.find((known) => known === word)
    const before = argv.slice(0, flags.consumed)
    if (verb === undefined) throw unexpectedWord(word, before.at(-1), VERB_NAMES)
    return { kind: 'verb', verb, args: [...before, ...rest] }
  }
  refuseOddTexts(flags, env)
  const options = readOptions(flags, env)
  return { kind: 'run', options, warnings: warningsOf(options, flags, env) }
}

function readOptions(flags: GoFlags, env: Environment): Options {
  const variables: Record<string, string> = {}
  for (const [name, value] of Object.entries(env))
    if (name.startsWith(PREFIX) && value !== undefined && value !== '') variables[name] = value
  const origin: Origin = ({ flag }) => {
    const variable = variableOf(flag)
    return !flags.values.has(flag) && variables[variable] !== undefined ? variable : `-${flag}`
  }
  const read = validated(flags.values, variables)
  if (!read.ok) {
    const { row, text, rule } = read.broken
    throw new OperatorError(`${origin(row)}: ${shown(row, text)}: ${rule}`)
  }
  refuseKubernetes(read.options, origin)
  refuseAlone(read.options, origin)
  const { etcdEndpoints, etcdCafile, etcdCertfile, etcdKeyfile } = read.options
  const files = [etcdCafile, etcdCertfile, etcdKeyfile].some((file) => file !== undefined)
  return { ...read.options, etcdEndpoints: withSchemes(etcdEndpoints, files) }
}

function refuseKubernetes(options: Options, origin: Origin): void {
  for (const row of ROWS) {
    const value = options[row.name]
    if (row.unsupported !== 'refused' || value === row.default) continue
    throw new OperatorError(
      `${origin(row)}: ${shown(row, value)}: Kubernetes is not supported yet: leases are kept in etcd`,
    )
  }
}

/** Refuses an option that makes no sense without another one. */
function refuseAlone(options: Options, origin: Origin): void {
  const alone = (given: keyof Options, missing: keyof Options): OperatorError =>
    new OperatorError(`${origin(TABLE[given])}: needs -${TABLE[missing].flag} too`)
  for (const [given, missing] of PAIRS) {
    if (options[given] !== undefined && options[missing] === undefined) throw alone(given, missing)
  }
  if (options.healthzPage && options.healthzPort === 0) throw alone('healthzPage', 'healthzPort')
}

function warningsOf(options: Options, { values }: GoFlags, env: Environment): readonly string[] {
  const ignored = ROWS.filter((row) => row.unsupported === 'ignored' && options[row.name] !== undefined)
  const tls = (['etcdCafile', 'etcdCertfile'] as const).filter((name) => options[name] !== undefined)
  const secure = options.etcdEndpoints.filter((endpoint) => endpoint.startsWith('https:')).length
  const mixed = secure > 0 && secure < options.etcdEndpoints.length
  return [
    ...ignored.map((row) => `-${row.flag}: accepted, but has no effect here`),
    ...klogWarnings(values),
    ...(secure > 0
      ? []
      : tls.map((name) => `-${TABLE[name].flag}: has no effect: the endpoints are http://, not https://`)),
    ...(mixed
      ? [`-etcd-endpoints: ${options.etcdEndpoints.join(',')}: http and https: what goes to http can be read`]
      : []),
    ...nearMisses(env, new Set(values.keys())),
  ]
}

/** Refuses characters that are invisible or misleading. A password may be anything. */
function refuseOddTexts(flags: GoFlags, env: Environment): void {
  for (const row of ROWS) {
    if (row.sensitive === true || row.unsupported === 'ignored') continue
    const variable = variableOf(row.flag)
    const given = flags.values.get(row.flag)
    const texts = given ?? [env[variable] ?? '']
    for (const text of texts) {
      const odd = oddityIn(row.flag === TABLE.etcdEndpoints.flag ? withoutFolds(text) : text)
      if (odd === undefined) continue
      const origin = given === undefined ? variable : `-${row.flag}`
      throw new OperatorError(`${origin}: ${text.includes('@') ? '(hidden)' : show(text)}: ${odd}`)
    }
  }
}

/** A list without the white space around its items: where YAML and shells fold lines. */
function withoutFolds(list: string): string {
  return list.replaceAll(/(^|,)[ \t\r\n]+|[ \t\r\n]+(?=,|$)/g, '$1')
}

/** A text with an @ may be a URL with a password, which may start anywhere: none of the text is shown. */
function shown(row: NamedRow, value: unknown): string {
  const secret = row.sensitive === true || (typeof value === 'string' && value.includes('@'))
  return secret ? '(hidden)' : show(value)
}

function asked(flags: GoFlags, name: string): boolean {
  return flags.values.get(name)?.at(-1) === 'true'
}
