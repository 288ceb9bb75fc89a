// Running a command of the config: without a shell unless it is one, bounded in time and output, with nothing in its environment but
// what it is told and where programs are.
import { OperatorError, messageOf } from '../../errors.ts'
import type { Command } from '../../backend.ts'
import { runChild } from '../../process/child.ts'
import { printable } from '../../text/plain-text.ts'

const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** How long one may take, and how much it may print. */
const LIMIT_MS = 30_000
const OUTPUT_BYTES = 64 * 1024
/** Characters of what it says on standard error that are shown. */
const MOST_SAID = 200

/** What it is run with. */
export interface CommandInput {
  readonly environment: Readonly<Record<string, string>>
  /** Its standard input, without the end of line that is added. */
  readonly input: string
}

/** What it printed, without the ends of lines around it. Rejects with OperatorError when it failed: `what` names it. */
export async function runCommand(
  what: string,
  command: Command,
  { environment, input }: CommandInput,
): Promise<string> {
  const [file = '', ...args] = command.replaces
    ? command.words.map((word) => replaced(word, environment))
    : command.words
  const options = {
    input: `${input}\n`,
    limitMs: LIMIT_MS,
    outputBytes: OUTPUT_BYTES,
    environment: { PATH: searchPath(), ...environment },
  }
  const ended = await runChild(file, args, options).catch((error: unknown) => {
    throw new OperatorError(`${what}: ${file}: ${messageOf(error)}`)
  })
  if (ended.status === 0) return ended.stdout.trim()
  const how = ended.status === null ? `killed by ${ended.signal}` : `ended with status ${ended.status}`
  const said = printable(`${ended.stderr} ${ended.stdout}`.trim().replaceAll(/\s+/g, ' '), MOST_SAID)
  throw new OperatorError(`${what}: ${file}: ${how}${said === '' ? '' : `: ${said}`}`)
}

/** The folders in which programs are looked for, as in PATH. */
export function searchPath(): string {
  return process.env['PATH'] ?? USUAL_PATH
}

/** A word with its variables replaced; one that is not known is empty, as in a shell. */
function replaced(word: string, environment: CommandInput['environment']): string {
  return word.replaceAll(
    /\$(?:(\w+)|\{(\w+)\})/g,
    (_, plain?: string, braced?: string) => environment[plain ?? braced ?? ''] ?? '',
  )
}
