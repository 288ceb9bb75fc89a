// A command line in the manner of Go's flag package: `-name value`, `-name=value`, `--name`; booleans bare or `=true`.
// Pure: it knows which flags exist and which are boolean, not what their values mean.
import { OperatorError } from '../errors.ts'
import { suggestion } from '../text/did-you-mean.ts'
import { typesetIn } from '../text/odd-characters.ts'

/** The command line itself is wrong: printed with the usage, and the exit code is not zero. */
export class UsageError extends OperatorError {
  override readonly name = 'UsageError'
}

/** A command line, undecoded. */
export interface GoFlags {
  /** The texts of each flag, in order; never empty. */
  readonly values: ReadonlyMap<string, readonly string[]>
  /** How many arguments the flags took, without a closing `--`. */
  readonly consumed: number
  /** From the first word that is no flag on: parsing stops there, as in Go. */
  readonly rest: readonly string[]
}

/** Splits `argv` (without program name). `flags` says for each known name whether it is boolean. Throws UsageError. */
export function parseGoFlags(argv: readonly string[], flags: ReadonlyMap<string, 'boolean' | 'value'>): GoFlags {
  const values = new Map<string, string[]>()
  let at = 0
  for (let word = argv[at]; word !== undefined; word = argv[at]) {
    if (word === '--') return { values, consumed: at, rest: argv.slice(at + 1) }
    if (!word.startsWith('-') || word === '-') break
    at++
    const { name, inline } = splitFlag(word)
    const kind = flags.get(name)
    if (kind === undefined) {
      throw new UsageError(`flag: -${name}: not defined${suggestion(name, flags.keys(), '-')}`)
    }
    const value = inline ?? (kind === 'boolean' ? 'true' : nextWord(name, argv[at++], flags))
    const given = values.get(name)
    if (given) given.push(value)
    else values.set(name, [value])
  }
  return { values, consumed: at, rest: argv.slice(at) }
}

/** The name of a flag, and what follows its "=". */
function splitFlag(word: string): { readonly name: string; readonly inline: string | undefined } {
  const [, name, inline] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? []
  if (name === undefined || name === '' || name.startsWith('-'))
    throw new UsageError(`flag: ${quote(withoutValue(word))}: bad syntax`)
  return { name, inline }
}

/** The word after a flag as its value. */
function nextWord(name: string, word: string | undefined, flags: ReadonlyMap<string, unknown>): string {
  if (word === undefined) throw new UsageError(`flag: -${name}: needs a value`)
  // Go would take another flag for the value. An unset variable in a unit file leaves such a gap, and the flag after it may
  // hold the password.
  const [, following] = /^--?([^=]+)(=|$)/.exec(word) ?? []
  if (following !== undefined && flags.has(following)) {
    throw new UsageError(`flag: -${name}: needs a value, but -${following} follows`)
  }
  return word
}

/** The message for a word in a place where only flags are allowed. */
export function unexpectedWord(word: string, before: string | undefined, verbs: readonly string[]): UsageError {
  // In Go `-ip-masq false` sets it to true and stops at "false", silently dropping all that follows.
  const bare = before !== undefined && /^--?[^=]+$/.test(before) && parseGoBoolean(word) !== undefined
  const typeset = /^[^\w/.]/.test(word) ? typesetIn(word) : undefined
  if (typeset !== undefined) return new UsageError(`argument: ${quote(withoutValue(word))}: ${typeset}: write -`)
  const hint = bare ? `: a boolean takes its value after "=": ${before}=${word}` : suggestion(word, verbs)
  return new UsageError(`argument: ${quote(withoutValue(word))}: neither a flag nor a command${hint}`)
}

/** A boolean as Go's strconv.ParseBool reads it, or undefined. */
export function parseGoBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false
  return undefined
}

/** A decimal or 0x integer, or undefined. "010" is refused: Go reads it as octal, people as decimal. */
export function parseGoInteger(text: string): number | undefined {
  if (!/^[+-]?(0|[1-9]\d*|0[xX][0-9a-fA-F]+)$/.test(text)) return undefined
  const magnitude = Number(text.replace(/^[+-]/, ''))
  const value = text.startsWith('-') ? -magnitude : magnitude
  return Number.isSafeInteger(value) ? value : undefined
}

/** A mistyped flag may have a password behind its "=". */
function withoutValue(word: string): string {
  return word.replace(/=.*/s, '=...')
}

function quote(word: string): string {
  return JSON.stringify(word)
}
