// What the daemon was told: command line over environment over defaults, checked. Pure; main.ts prints and exits.
// convict holds the values; it neither sees the command line (its parser knows no Go flags) nor empty variables.
import convict from 'convict'
import { OperatorError, messageOf, show } from '../errors.ts'
import { type GoFlags, parseGoFlags, unexpectedWord } from './go-flags.ts'
import { withSchemes } from '../etcd/schemes.ts'
import { KLOG_FLAGS, klogWarnings } from './klog.ts'
import { nearMisses } from './near-misses.ts'
import { oddityIn } from '../text/odd-characters.ts'
import { type NamedRow, PREFIX, ROWS, TABLE, variableOf } from './table.ts'
import type { Options } from './type.ts'
import { VERB_NAMES, type Verb, usage } from './usage.ts'

export { UsageError } from './go-flags.ts'
export type { Options } from './type.ts'
export { usage } from './usage.ts'

/** The environment, as process.env. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a command line asks for. A verb's arguments are undecoded, flags that stood before it among them. */
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

/**
 * Reads the command line (without program name) and the environment. Throws UsageError for a command line that is no
 * such thing (print usage() with it) and OperatorError for a bad value, naming the flag or variable it came from.
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

/** A text that broke its rule; kept as the value until it is known where it came from. */
class Malformed {
  readonly text: string
  readonly rule: string

  constructor(text: string, rule: string) {
    this.text = text
    this.rule = rule
  }
}

function readOptions(flags: GoFlags, env: Environment): Options {
  const variables = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name.startsWith(PREFIX) && value !== ''),
  )
  const config = convict<Record<string, unknown>>(schema(), { args: [], env: variables })
  for (const row of ROWS) {
    const given = flags.values.get(row.flag)
    const last = given?.at(-1)
    if (given === undefined || last === undefined) continue
    config.set(row.name, row.repeatable === true ? readAll(row, given) : readOne(row, last))
  }
  const origin = (row: NamedRow): string =>
    !flags.values.has(row.flag) && variables[variableOf(row.flag)] !== undefined ? variableOf(row.flag) : `-${row.flag}`
  const values: Record<string, unknown> = {}
  for (const row of ROWS) {
    const value: unknown = config.get(row.name)
    if (value instanceof Malformed) throw new OperatorError(`${origin(row)}: ${shown(row, value)}: ${value.rule}`)
    if (row.unsupported === 'refused' && value !== row.default) {
      throw new OperatorError(
        `${origin(row)}: ${shown(row, value)}: Kubernetes is not supported yet: leases are kept in etcd`,
      )
    }
    values[row.name] = value
  }
  const files = ['etcdCafile', 'etcdCertfile', 'etcdKeyfile'].some((name) => values[name] !== undefined)
  values['etcdEndpoints'] = withSchemes(values['etcdEndpoints'] as readonly string[], files)
  // Every name of Options has a row (TABLE's type), and every value came through its row's reader.
  const options = values as unknown as Options
  requirePair(options, origin, 'etcdCertfile', 'etcdKeyfile')
  requirePair(options, origin, 'etcdUsername', 'etcdPassword')
  if (options.healthzPage && options.healthzPort === 0) {
    throw new OperatorError(`${origin({ ...TABLE.healthzPage, name: 'healthzPage' })}: needs -healthz-port beside it`)
  }
  return options
}

/** The table as a convict schema: convict reads variables and defaults, our formats do the decoding. */
function schema(): convict.Schema<Record<string, unknown>> {
  for (const row of ROWS) {
    convict.addFormat({
      name: row.format.name,
      coerce: (text: string) => readOne(row, text),
      validate: () => undefined,
    })
  }
  return Object.fromEntries(
    ROWS.map((row) => [
      row.name,
      {
        doc: row.doc,
        default: row.default,
        format: row.format.name,
        env: variableOf(row.flag),
        sensitive: row.sensitive === true,
      },
    ]),
  )
}

function readOne(row: NamedRow, text: string): unknown {
  try {
    return row.format.read(text)
  } catch (error) {
    return new Malformed(text, messageOf(error))
  }
}

/** The lists of a repeatable flag, joined. */
function readAll(row: NamedRow, texts: readonly string[]): unknown {
  const read = texts.map((text) => readOne(row, text))
  return read.find((value) => value instanceof Malformed) ?? read.flat()
}

/** Two options of which one makes no sense without the other. */
function requirePair(options: Options, origin: (row: NamedRow) => string, a: keyof Options, b: keyof Options): void {
  for (const [given, missing] of [
    [a, b],
    [b, a],
  ] as const) {
    if (options[given] === undefined || options[missing] !== undefined) continue
    throw new OperatorError(`${origin({ ...TABLE[given], name: given })}: needs -${TABLE[missing].flag} beside it`)
  }
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

/** Names what nobody sees in the texts given. A password may be anything. */
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

/** A text that may be a URL with a password in it is shown as nothing at all: who knows where it begins. */
function shown(row: NamedRow, value: unknown): string {
  const text = value instanceof Malformed ? value.text : value
  const secret = row.sensitive === true || (typeof text === 'string' && text.includes('@'))
  return secret ? '(hidden)' : show(text)
}

function asked(flags: GoFlags, name: string): boolean {
  return flags.values.get(name)?.at(-1) === 'true'
}
