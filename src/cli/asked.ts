// What a verb's command line asks: the daemon's flags, which say where its socket, files and etcd are, the verb's own, and
// its words, in any order. Pure.
import { type Environment, DAEMON_FLAGS, parseOptions } from '../options/parse.ts'
import { UsageError, parseGoBoolean, parseGoFlags } from '../options/go-flags.ts'
import type { Options } from '../options/type.ts'

/** What a verb takes in addition to the daemon's flags and -json. */
export interface VerbShape {
  /** Its own flags, without dash. */
  readonly flags?: Readonly<Record<string, 'boolean' | 'value'>>
  /** The least and the most words it takes; none when absent. */
  readonly words?: readonly [least: number, most: number]
}

/** A verb's command line, decoded. */
export interface AskedVerb {
  /** As the daemon would read them; variables count. */
  readonly options: Options
  readonly json: boolean
  readonly words: readonly string[]
  /** Whether a boolean flag of the verb's own is set. */
  has(flag: string): boolean
  /** The last value of a flag of the verb's own. */
  value(flag: string): string | undefined
}

/**
 * Reads what follows a verb; `help` for -help. Throws UsageError for a command line that is no such thing, and
 * OperatorError for a bad value of a daemon's flag or variable.
 */
export function askedOf(
  verb: string,
  args: readonly string[],
  env: Environment,
  shape: VerbShape = {},
): AskedVerb | 'help' {
  const own: ReadonlyMap<string, 'boolean' | 'value'> = new Map([
    ['json', 'boolean'],
    ...Object.entries(shape.flags ?? {}),
  ])
  const known = new Map([...DAEMON_FLAGS, ...own])
  const values = new Map<string, readonly string[]>()
  const words: string[] = []
  for (let rest = args; ;) {
    const parsed = parseGoFlags(rest, known)
    for (const [flag, given] of parsed.values) values.set(flag, [...(values.get(flag) ?? []), ...given])
    const [word, ...after] = parsed.rest
    if (word === undefined) break
    words.push(word)
    rest = after
  }
  const set = (flag: string): boolean => parseGoBoolean(values.get(flag)?.at(-1) ?? 'false') ?? false
  if (set('help') || set('h')) return 'help'
  const [least, most] = shape.words ?? [0, 0]
  if (words.length > most) throw new UsageError(`${verb}: ${JSON.stringify(words[most])}: one word too many`)
  if (words.length < least) throw new UsageError(`${verb}: something is missing`)
  const daemons = [...values].filter(([flag]) => !own.has(flag))
  const asked = parseOptions(
    daemons.flatMap(([flag, given]) => given.map((value) => `-${flag}=${value}`)),
    env,
  )
  if (asked.kind !== 'run') throw new UsageError(`${verb}: -version: asks for something else`)
  return {
    options: asked.options,
    json: set('json'),
    words,
    has: set,
    value: (flag) => values.get(flag)?.at(-1),
  }
}
