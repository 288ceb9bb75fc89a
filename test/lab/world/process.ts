// A program that runs during a test: its output is kept, and it is ended by its pid.
// Invariant: nothing started here outlives the test process; a program in a space dies with the space (space.ts).
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { waitFor } from '../instruments/wait.ts'

/** How a program ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running program. */
export interface Running {
  /** Its process id as this machine sees it, whatever it calls itself in its own pid namespace. */
  readonly pid: number
  /** What it printed so far, both streams in the order they came. */
  output(): string
  /** What it printed on stdout alone. */
  stdout(): string
  /** The first line that matches, now or later; rejects with what was printed when `deadline` ms pass or it ends. */
  line(pattern: RegExp, deadline?: number): Promise<string>
  kill(signal: NodeJS.Signals): void
  /** Asks it to end, kills it when `deadline` ms have passed, and resolves when it is gone. */
  stop(signal?: NodeJS.Signals, deadline?: number): Promise<Exit>
  readonly exit: Promise<Exit>
}

/**
 * Starts `command`. With `inner` the program of interest is the only child of what is started (nsenter and unshare fork
 * to enter a pid namespace), and signals go to it.
 */
export async function start(command: readonly string[], inner: boolean, stdin?: string): Promise<Running> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const printed = { both: '', stdout: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.both += text
    printed.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed.both += text
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin ?? '')
  let ended: Exit | undefined
  const exit = new Promise<Exit>((resolve, reject) => {
    child.on('error', reject)
    // 'close' comes after the last of the output.
    child.on('close', (code, signal) => {
      resolve((ended = { code, signal }))
    })
  })
  const pid = inner ? await innerPid(child, () => ended !== undefined) : (child.pid ?? 0)

  const kill = (signal: NodeJS.Signals): void => {
    if (ended === undefined && pid !== 0) sendSignal(pid, signal)
    // nsenter and unshare stop with their child, and have to be woken themselves.
    if (inner && signal === 'SIGCONT') child.kill(signal)
    if (inner && signal === 'SIGSTOP') wakeWhenDead(child, pid)
  }
  return runningOf({ program, pid, exit, kill, output: () => printed.both, stdout: () => printed.stdout })
}

/** A running program from what differs between one of this kernel and one of another. */
export function runningOf(
  of: Pick<Running, 'pid' | 'exit' | 'kill' | 'output' | 'stdout'> & { program: string },
): Running {
  const { program, exit, kill, output, ...rest } = of
  let ended: Exit | undefined
  exit.then(
    (how) => (ended = how),
    () => undefined,
  )
  return {
    ...rest,
    exit,
    kill,
    output,
    async line(pattern, deadline) {
      const find = (): string | undefined =>
        output()
          .split('\n')
          .find((line) => pattern.test(line))
      try {
        const seen = await waitFor(`${program} to print ${pattern}`, () => find() ?? (ended && 'ended'), deadline)
        const found = find()
        if (found !== undefined) return found
        throw new Error(`${program} ${seen}: ${JSON.stringify(ended)}`)
      } catch (error) {
        throw new Error(`${String(error)}\n${output()}`, { cause: error })
      }
    },
    async stop(signal = 'SIGTERM', deadline = 60_000) {
      kill(signal)
      const timer = setTimeout(() => {
        kill('SIGKILL')
      }, deadline)
      try {
        return await exit
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** The pid of the only child of a process that forks once; 0 when it ended before it did. */
async function innerPid(child: ChildProcess, ended: () => boolean): Promise<number> {
  const pid = child.pid
  if (pid === undefined) return 0
  return waitFor(`a child of ${pid}`, () => {
    if (ended()) return { none: true }
    const found = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
    return found > 0 && { found }
  }).then((it) => ('found' in it ? it.found : 0))
}

/** A stopped nsenter would not reap its child when that is killed, and the end of a pid namespace waits for that. */
function wakeWhenDead(child: ChildProcess, pid: number): void {
  const timer = setInterval(() => {
    if (child.exitCode !== null || child.signalCode !== null) clearInterval(timer)
    else if (isDead(pid)) child.kill('SIGCONT')
  }, 20)
  timer.unref()
}

/** Whether a process is gone, or a zombie (proc(5), the state in stat). */
function isDead(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.startsWith('Z') ?? true
  } catch {
    return true
  }
}

/** kill(2), for which a process that is gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The processor time a process has used, in milliseconds (proc(5), stat fields 14 and 15 at 100 ticks a second). */
export function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
