// Starting a program and being done with it in time, whatever it does.
// Invariants: the promise settles within the limit by a timer of our own, even when a child of the child keeps the pipes open or
// cannot be killed; what was started is a process group and is killed as one; nothing blocks the loop; what is kept of its
// output is bounded; a failed start is a rejection.
import { type ChildProcessByStdio, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

/** What a program left. `status` is null when a signal ended it. */
export interface Ended {
  readonly status: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** How a program is run. */
export interface ChildOptions {
  readonly input: string
  /** Milliseconds from the start to the kill. */
  readonly limitMs: number
  /** Bytes of standard output at most: a program that prints more is killed. */
  readonly outputBytes: number
  /** Its whole environment; ours when absent. */
  readonly environment?: Readonly<Record<string, string>>
}

/** A program was killed because it did not end in time, or printed without end. `message` says which. */
export class Killed extends Error {
  override readonly name = 'Killed'
}

/** After a program has ended, another process may hold its pipes: how long they are still read. Milliseconds. */
const LINGER_MS = 1000
/** Of what a program says on standard error, the beginning is kept. */
const ERROR_BYTES = 64 * 1024

/** Groups that may have a living process, by the id of their first. */
const alive = new Set<number>()
let atExit = false

/** Kills whatever was started here and has not ended: for an exit, since no other process knows of these groups. */
function killChildren(): void {
  for (const group of alive) kill(group)
  alive.clear()
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

/** Runs a program. Rejects with Killed, or with the system's error when it cannot be started (ENOENT, EMFILE, E2BIG, ...). */
export function runChild(file: string, args: readonly string[], options: ChildOptions): Promise<Ended> {
  if (!atExit) process.once('exit', killChildren)
  atExit = true
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'pipe', detached: true, env: options.environment ?? process.env })
    // First of all: without a descriptor left there is no pipe, and the error comes in the next tick.
    child.on('error', (error) => {
      settle(() => {
        reject(error)
      })
    })
    const { pid } = child
    const { stdin, stdout, stderr } = pipesOf(child)
    const pipes = [stdin, stdout, stderr]
    if (pid !== undefined) alive.add(pid)
    let lingering: NodeJS.Timeout | undefined
    let settled = false
    const limit = setTimeout(() => {
      stop(`did not end within ${options.limitMs} ms`)
    }, options.limitMs)

    function settle(how: () => void): void {
      if (settled) return
      settled = true
      clearTimeout(limit)
      clearTimeout(lingering)
      if (pid !== undefined) alive.delete(pid)
      for (const pipe of pipes) pipe?.destroy()
      how()
    }

    function stop(why: string): void {
      if (pid !== undefined && !settled) kill(pid)
      settle(() => {
        reject(new Killed(`${why}: killed`))
      })
    }

    // A broken pipe says nothing that the program's end does not.
    for (const pipe of pipes) pipe?.on('error', () => undefined)
    const tooMuch = (): void => {
      stop(`printed more than ${options.outputBytes} bytes`)
    }
    const out = keep(stdout, options.outputBytes, tooMuch)
    const err = keep(stderr, ERROR_BYTES, () => undefined)
    const end = (status: number | null, signal: string | null): void => {
      settle(() => {
        resolve({ status, signal, stdout: out(), stderr: err() })
      })
    }
    child.on('close', end)
    child.on('exit', (status, signal) => {
      lingering = setTimeout(() => {
        // What it printed may be waiting to be read, after a time in which the loop was busy.
        setImmediate(() => {
          if (pid !== undefined && !settled) kill(pid)
          end(status, signal)
        })
      }, LINGER_MS)
    })
    stdin?.end(options.input)
  })
}

/** The pipes to a program. Without a descriptor left there are none, whatever the types say. */
function pipesOf(child: ChildProcessWithoutNullStreams): Partial<Pick<typeof child, 'stdin' | 'stdout' | 'stderr'>> {
  return child
}

/** The same of a program that gets no input. */
function outputsOf(
  child: ChildProcessByStdio<null, Readable, Readable>,
): Partial<Pick<typeof child, 'stdout' | 'stderr'>> {
  return child
}

/** Keeps what comes out, up to `most` bytes; beyond that `over` is called. Returns what reads it as text. */
function keep(stream: Readable | undefined, most: number, over: () => void): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= most) chunks.push(chunk)
    else over()
  })
  return () => Buffer.concat(chunks).toString()
}

/**
 * Starts a program that goes on when this one ends, and is its parent no longer then. What it prints goes to the file that is open as
 * `output`. Its process id, or the system's error.
 */
export function launch(
  file: string,
  { environment, output }: { readonly environment: NodeJS.ProcessEnv; readonly output: number },
): Promise<number> {
  const stdio = ['ignore', output, output] as const
  const child = spawn(file, [], { cwd: '/', detached: true, env: environment, stdio: [...stdio] })
  child.unref()
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => {
      resolve(child.pid ?? 0)
    })
  })
}

/** Ends a process that another run of ours started; one that is gone is no error. */
export function killProcess(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}

/** A program that goes on when this one ends. */
export interface Detached {
  readonly pid: number
}

/**
 * Starts a program that is to outlive this one. Resolves once it has printed its first line; rejects with what it says on standard error
 * when it ends before, or with Killed when neither comes in time.
 */
export function startDetached(file: string, args: readonly string[], limitMs: number): Promise<Detached> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const { stdout, stderr } = outputsOf(child)
    const pipes = [stdout, stderr]
    const limit = setTimeout(() => {
      if (child.pid !== undefined) kill(child.pid)
      done(() => {
        reject(new Killed(`did not start within ${limitMs} ms: killed`))
      })
    }, limitMs)
    const done = (how: () => void): void => {
      clearTimeout(limit)
      for (const pipe of pipes) pipe?.destroy()
      child.unref()
      how()
    }
    for (const pipe of pipes) pipe?.on('error', () => undefined)
    const said = keep(stderr, ERROR_BYTES, () => undefined)
    child.on('error', (error) => {
      done(() => {
        reject(error)
      })
    })
    child.on('close', (status) => {
      done(() => {
        reject(new Error(said().trim() || `ended with ${status}`))
      })
    })
    stdout?.once('data', () => {
      const { pid } = child
      done(() => {
        if (pid !== undefined) resolve({ pid })
      })
    })
  })
}
