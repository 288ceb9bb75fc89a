// Starting a program for its output, without ever blocking the loop or waiting for ever.
// Invariant: the promise settles within the time limit, and then the process is gone.
import { spawn } from 'node:child_process'
import { OperatorError } from '../errors.ts'

/** How programs are started here. */
export interface Runner {
  /** Words put before every command, e.g. ['nsenter', '--net=/var/run/netns/a']: tests run elsewhere with it. */
  readonly prefix: readonly string[]
  /** Told of every start, with the program's name. */
  readonly started?: (program: string) => void
}

/** What a program left. */
export interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** A program is not there. */
export class NotInstalled extends OperatorError {}

const LIMIT_MS = 10_000
const NOT_FOUND = 127

/** Runs `program` with `input`. Rejects with OperatorError when it cannot be started or did not end in 10 s. */
export function run(runner: Runner, program: string, args: readonly string[], input = ''): Promise<Outcome> {
  const [file = program, ...rest] = [...runner.prefix, program, ...args]
  runner.started?.(program)
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { stdio: 'pipe', timeout: LIMIT_MS, killSignal: 'SIGKILL' })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', (error: NodeJS.ErrnoException) => {
      // 127 is what the shell, env(1) and nsenter(1) say of a program that is not there.
      if (error.code === 'ENOENT') resolve({ status: NOT_FOUND, stdout: '', stderr: '' })
      else reject(new OperatorError(`firewall: ${file}: ${error.message}`))
    })
    child.on('close', (status, signal) => {
      const stderr = Buffer.concat(err).toString()
      if (signal !== null) reject(new OperatorError(`firewall: ${program}: ended by ${signal} (limit ${LIMIT_MS} ms)`))
      else resolve({ status: status ?? 1, stdout: Buffer.concat(out).toString(), stderr })
    })
    // A program that ends without reading its input is judged by its status.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

/** Like run, but any status other than 0 rejects, with the program's own words. */
export async function output(runner: Runner, program: string, args: readonly string[], input = ''): Promise<string> {
  const outcome = await run(runner, program, args, input)
  if (outcome.status === 0) return outcome.stdout
  if (outcome.status === NOT_FOUND) throw new NotInstalled(`firewall: ${program}: not installed`)
  throw new OperatorError(`firewall: ${program}: ${reason(outcome)}`)
}

/** What a failed program said, in one line, with what to do where that is known. */
function reason({ status, stderr }: Outcome): string {
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
