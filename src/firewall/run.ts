// Runs iptables, nft and other programs for their output, and explains their failures to an operator.
// Invariant: programs are started only here; the promise settles within the time limit (child.ts).
import { runChild } from '../process/child.ts'
import { OperatorError, messageOf } from '../errors.ts'

/** How programs are started here. */
export interface Runner {
  /** Words put before every command, e.g. ['nsenter', '--net=/var/run/netns/a']: tests run elsewhere with it. */
  readonly prefix: readonly string[]
  /** Called at every start, with the program's name. */
  readonly started?: (program: string) => void
}

/** How a program ended, and what it printed. */
export interface ProgramResult {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** A program is not installed. */
export class NotInstalled extends OperatorError {}

/** How long a program may take. */
const LIMIT_MS = 10_000
/** Three times the size of a saved firewall of 100,000 rules. */
const OUTPUT_BYTES = 32 << 20
const NOT_FOUND = 127

/** By error code: why a program cannot be started, and what to do. */
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
    // 127 is the status of the shell, env(1) and nsenter(1) for a missing program.
    if (code === 'ENOENT') return { status: NOT_FOUND, stdout: '', stderr: '' }
    throw new OperatorError(`firewall: ${program}: ${ADVICE[code] ?? messageOf(error)}`, { cause: error })
  }
}

/** As runProgram, but any status other than 0 rejects, with the program's own words. */
export async function output(runner: Runner, program: string, args: readonly string[], input = ''): Promise<string> {
  const outcome = await runProgram(runner, program, args, input)
  if (outcome.status === 0) return outcome.stdout
  if (outcome.status === NOT_FOUND) throw new NotInstalled(`firewall: ${program}: not installed`)
  throw new OperatorError(`firewall: ${program}: ${reason(outcome)}`)
}

/** What a failed program printed, in one line, with what to do where that is known. */
function reason({ status, stderr }: ProgramResult): string {
  const printed = stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join('; ')
  // iptables-legacy reads and locks files that are root's, whatever the capabilities.
  if (/\/proc\/net\/|\.lock/.test(printed) && process.getuid?.() !== 0)
    return `${printed}: iptables-legacy wants uid 0: run as root with CAP_NET_ADMIN and CAP_NET_RAW, or use iptables-nft`
  if (/permission denied|you must be root/i.test(printed)) return `${printed}: CAP_NET_ADMIN and CAP_NET_RAW are needed`
  if (/random-fully/.test(printed)) return `${printed}: try -ip-masq-fully-random-disable`
  return printed === '' ? `exit status ${status}` : printed
}
