// What has to hold before any other line of the program runs: main.ts imports it first, for its effects.
// Invariants: no signal opens Node's debugger; the process has the program's name; no warning of Node's is printed raw.
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'

/** The most warnings of Node and its libraries that are kept until there is a listener: more would be one fault many times. */
const MOST_WAITING = 20
/** When a signal that came before the first line has done what it does. Milliseconds. */
const LATE_MS = 1000

const waiting: Error[] = []
let hear: ((warning: Error) => void) | undefined

/** Calls `listener` with Node's warnings, those so far included. Without a listener they are dropped. */
export function hearWarnings(listener: (warning: Error) => void): void {
  hear = listener
  for (const warning of waiting.splice(0)) listener(warning)
}

/** Without a listener, Node answers SIGUSR1 by a debugger on port 9229, open to every user of this host. */
process.on('SIGUSR1', () => undefined)
closeDebugger()

// An operator cannot fix what Node and its libraries deprecate.
process.noDeprecation = true
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (hear !== undefined) hear(warning)
  else if (waiting.length < MOST_WAITING) waiting.push(warning)
})

nameProcess()

/** What `ps -C`, `pgrep -x` and top go by. Only this name, not the arguments, as process.title would have it. */
function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', 'flanneld')
  } catch {
    // Without /proc it cannot be read.
  }
}

/** Closes a debugger that a signal has opened before anybody listened; one that was asked for stays. */
function closeDebugger(): void {
  if ([...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => text.includes('--inspect'))) return
  const close = (): void => {
    const inspector = process.getBuiltinModule('node:inspector')
    if (inspector.url() !== undefined) inspector.close()
  }
  // Loading the inspector takes longer than all else here: at once only when there is a reason to.
  if (hasSocket()) {
    close()
    // Node answers such a signal twice, by an interrupt and in the first turn of the event loop.
    setImmediate(close)
  }
  // For a signal in flight.
  setTimeout(close, LATE_MS).unref()
}

/** Whether there is a socket other than standard input and output: of ours there is none yet. */
function hasSocket(): boolean {
  try {
    return readdirSync('/proc/self/fd').some((fd) => Number(fd) > 2 && /^socket:/.test(target(fd)))
  } catch {
    return true
  }
}

function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // The descriptor by which the folder was read.
    return ''
  }
}
