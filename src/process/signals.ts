// What the daemon does at each signal.
// Invariant: a signal that another process sends as a notice or a request stops the daemon in order or is ignored. What ends it at
// once: SIGKILL; those of a fault in it, which no handler may outlive (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP);
// SIGABRT, by which systemd's watchdog asks for a core; SIGPROF, which is the clock of V8's profiler; and real-time signals,
// which Node cannot handle.

/** Those that ask for the end, from a terminal, systemd or an engine. */
export const STOPPING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const

/**
 * Those that mean something to other daemons, and would end this one. SIGPIPE and SIGXFSZ are ignored by Node: the write
 * that causes them fails.
 */
export const IGNORED = [
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGXCPU',
] as const

type Signal = NodeJS.Signals

/** Calls `stop` for signals that ask for the end, and `ignored` at the first of each that does not. */
export function handleSignals(stop: (signal: Signal) => void, ignored: (signal: Signal) => void): void {
  for (const signal of STOPPING)
    process.on(signal, () => {
      stop(signal)
    })
  for (const signal of IGNORED) {
    process.once(signal, () => {
      ignored(signal)
    })
    // Without a listener the signal would end the process again.
    process.on(signal, () => undefined)
  }
}

/** Calls `listener` at each SIGHUP, until `stopped` aborts: by it an operator says that a file was replaced. */
export function onHangup(listener: () => void, stopped: AbortSignal): void {
  process.on('SIGHUP', listener)
  stopped.addEventListener('abort', () => {
    process.off('SIGHUP', listener)
  })
}

/** Ends a verb by `end` with the shell's status for a signal, unless it listens itself: what it started is to end with it. */
export function endOnSignals(end: (status: number) => void): void {
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGQUIT', 3],
    ['SIGTERM', 15],
  ] as const)
    process.once(signal, () => {
      if (process.listenerCount(signal) === 0) end(128 + number)
    })
}
