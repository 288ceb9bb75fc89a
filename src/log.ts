// Log lines in klog's form on stderr: `I0520 02:24:57.594377    2463 main.go:499] text`.
// The file named is the part of the daemon that speaks ("lease", "kernel"); the number is the caller's line in the program
// as it runs. Invariant: one call, one line.
import { printable } from './plain-text.ts'

export { printable } from './plain-text.ts'

/** Where a part of the daemon writes its lines. `debug(level, ...)` is printed when `-v` is at least `level`. */
export interface Log {
  info(text: string): void
  warn(text: string): void
  error(text: string): void
  debug(level: number, text: string): void
  /** The same sink under another part's name; `hear` is told its lines beside whoever hears ours. */
  part(name: string, hear?: Hear): Log
}

/** klog's info, warning, error. */
export type Severity = 'I' | 'W' | 'E'

/** Is told each line but those of debug. */
export type Hear = (part: string, severity: Severity, text: string) => void

/** A log that writes klog lines through `write` (whole lines, with the newline). */
export function createLog(
  part: string,
  verbosity: number,
  write: (line: string) => void,
  heard: readonly Hear[] = [],
): Log {
  const line = (severity: Severity, text: string, listeners = heard): void => {
    for (const hear of listeners) hear(part, severity, printable(text))
    const head = `${severity}${stamp(new Date())} ${String(process.pid).padStart(7)} ${part}.ts:${callerLine()}]`
    write(`${head} ${printable(text)}\n`)
  }
  return {
    info: (text) => line('I', text),
    warn: (text) => line('W', text),
    error: (text) => line('E', text),
    debug: (level, text) => {
      if (level <= verbosity) line('I', text, [])
    },
    part: (name, hear) => createLog(name, verbosity, write, hear === undefined ? heard : [...heard, hear]),
  }
}

/** klog's time stamp, local time: `0520 02:24:57.594377`. */
function stamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const micro = String(now.getMilliseconds() * 1000).padStart(6, '0')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
  return `${two(now.getMonth() + 1)}${two(now.getDate())} ${time}.${micro}`
}

/** The line in the running program of the function that called the log. */
function callerLine(): number {
  // Frames: Error, callerLine, line, the log's own method, the caller.
  const frame = new Error().stack?.split('\n')[4] ?? ''
  return Number(/:(\d+):\d+\)?$/.exec(frame)?.[1] ?? 0)
}
