// Running iptables, nft and the like for their output, and what their ends mean to an operator.
// Invariant: this is the one door by which programs are started; the promise settles within the time limit (child.ts).
import { runChild } from '../process/child.ts'
import { OperatorError, messageOf } from '../errors.ts'

/** How programs are started here. */
export interface Runner {
  /** Words put before every command, e.g. ['nsenter', '--net=/var/run/netns/a']: tests run elsewhere with it. */
  readonly prefix: readonly string[]
  /** Told of every start, with the program's name. */
  readonly started?: (program: string) => void
}

/** What a program left. */
export interface ProgramResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** A program is not there. */
export class NotInstalled extends OperatorError {}

/** How long a program may take. Milliseconds. */
const LIMIT_MS = 10_000
/** A saved firewall of 100,000 rules is a third of it. */
const OUTPUT_BYTES = 32 << 20
const NOT_FOUND = 127

/** What the system says when a program cannot be started, with what to do. */
const ADVICE: Readonly<Record<string, string>> = {
  EMFILE: 'no file descriptor left: raise LimitNOFILE= of the unit (ulimit -n)',
  ENFILE: 'no file descriptor left on this host: raise the sysctl fs.file-max',
  EAGAIN: 'no process may be started: raise TasksMax= of the unit (ulimit -u)',
  EACCES: 'permission denied',
}

/**
 * Runs `program` with `input`. Rejects with OperatorError when it cannot be started, crashes, or does not end in `limitMs`,
 * after which it and whatever it started are killed.
 */
export async function runProgram(
  runner: Runner,
  program: string,
  args: readonly string[],
  input = '',
  limitMs = LIMIT_MS,
): Promise<ProgramResult> {
  const [file = program, ...rest] = [...runner.prefix, program, ...args]
  runner.started?.(program)
  try {
    const { status, signal, stdout, stderr } = await runChild(file, rest, { input, limitMs, outputBytes: OUTPUT_BYTES })
    if (signal !== null) throw new OperatorError(`firewall: ${program}: ended by ${signal}`)
    return { status: status ?? 1, stdout, stderr }
  } catch (error) {
    if (error instanceof OperatorError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    // 127 is what the shell, env(1) and nsenter(1) say of a program that is not there.
    if (code === 'ENOENT') return { status: NOT_FOUND, stdout: '', stderr: '' }
    throw new OperatorError(`firewall: ${program}: ${ADVICE[code] ?? messageOf(error)}`, { cause: error })
  }
}

/** Like run, but any status other than 0 rejects, with the program's own words. */
export async function output(runner: Runner, program: string, args: readonly string[], input = ''): Promise<string> {
  const outcome = await runProgram(runner, program, args, input)
  if (outcome.status === 0) return outcome.stdout
  if (outcome.status === NOT_FOUND) throw new NotInstalled(`firewall: ${program}: not installed`)
  throw new OperatorError(`firewall: ${program}: ${reason(outcome)}`)
}

/** What a failed program said, in one line, with what to do where that is known. */
function reason({ status, stderr }: ProgramResult): string {
  const said = stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join('; ')
  // iptables-legacy reads and locks files that are root's, whatever the capabilities.
  if (/\/proc\/net\/|\.lock/.test(said) && process.getuid?.() !== 0)
    return `${said}: iptables-legacy wants uid 0: run as root with CAP_NET_ADMIN and CAP_NET_RAW, or use iptables-nft`
  if (/permission denied|you must be root/i.test(said)) return `${said}: CAP_NET_ADMIN and CAP_NET_RAW are needed`
  if (/random-fully/.test(said)) return `${said}: try -ip-masq-fully-random-disable`
  return said === '' ? `exit status ${status}` : said
}
