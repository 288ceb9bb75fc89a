// What the daemon says to a command line it refuses.
import { OperatorError } from '../../src/errors.ts'
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
