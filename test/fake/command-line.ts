// A command line as the daemon reads it: its options, its warnings, or the refusal.
import { OperatorError } from '../../src/errors.ts'
import type { Options } from '../../src/options/type.ts'
import { type Environment, parseOptions } from '../../src/options/parse.ts'

/** The message of the refusal; throws when there is none. */
export function refusal(argv: readonly string[], env: Environment = {}): string {
  try {
    parseOptions(argv, env)
  } catch (error) {
    if (error instanceof OperatorError) return error.message
    throw error
  }
  throw new TypeError(`${argv.join(' ')} was not refused`)
}

/** The options of a run; throws where the command line asks for something else. */
export function optionsOf(argv: readonly string[], env: Environment = {}): Options {
  const invocation = parseOptions(argv, env)
  if (invocation.kind !== 'run') throw new TypeError(`expected options, got ${invocation.kind}`)
  return invocation.options
}

/** The warnings of a run. */
export function warningsOf(argv: readonly string[], env: Environment = {}): readonly string[] {
  const invocation = parseOptions(argv, env)
  return invocation.kind === 'run' ? invocation.warnings : []
}
