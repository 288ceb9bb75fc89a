// Log lines in klog's form on stderr: `I0520 02:24:57.594377    2463 main.go:499] text`.
// The file named is the part of the daemon that speaks ("lease", "kernel"); the number is the caller's line in the program
// as it runs. Invariants: one call, one line; whatever others make happen, a bounded number of lines.
import { type BudgetLimits, LineBudget } from './text/line-budget.ts'
import { printable } from './text/plain-text.ts'

export { printable } from './text/plain-text.ts'

/** Where a part of the daemon writes its lines. `debug(level, ...)` is printed when `-v` is at least `level`. */
export interface Log {
  info(text: string): void
  warn(text: string): void
  error(text: string): void
  debug(level: number, text: string): void
  /** The same sink under another part's name; `hear` is told its lines beside whoever hears ours. */
  part(name: string, hear?: LogListener): Log
}

/** The log of the program: it alone ends the process. */
export interface ProgramLog extends Log {
  /** The last error of the process. No budget withholds it, as there is no later sum that could tell of it. */
  fatal(text: string): void
}

/** klog's info, warning, error. */
export type Severity = 'I' | 'W' | 'E'

/** Is told each line but those of debug. */
export type LogListener = (part: string, severity: Severity, text: string) => void

/** Limits of the lines that one place in the program, and all of it, may write: others can make some happen at will. */
const LIMITS: BudgetLimits = {
  each: { burst: 300, everyMs: 2_000 },
  all: { burst: 3_000, everyMs: 200 },
  subjects: 200,
  sumMs: 60_000,
}

/** A log that writes klog lines through `write` (whole lines, with the newline). */
export function createLog(
  part: string,
  verbosity: number,
  write: (line: string) => void,
  heard: readonly LogListener[] = [],
  limits: BudgetLimits = LIMITS,
): ProgramLog {
  const lines = new Lines(verbosity, write, limits)
  return {
    ...lines.part(part, heard),
    fatal: (text) => {
      lines.fatal(part, text, heard)
    },
  }
}

/** Where the lines of all parts come together. */
class Lines {
  readonly #verbosity: number
  readonly #write: (line: string) => void
  readonly #budget: LineBudget
  /** The last line withheld of each place, until the next sum. */
  readonly #last = new Map<string, { readonly line: Line; readonly heard: readonly LogListener[] }>()

  constructor(verbosity: number, write: (line: string) => void, limits: BudgetLimits) {
    this.#verbosity = verbosity
    this.#write = write
    this.#budget = new LineBudget(limits, ({ bySubject }) => {
      this.#sumUp(bySubject)
    })
  }

  part(part: string, heard: readonly LogListener[]): Log {
    const say = (severity: Severity, text: string): void => {
      this.#say({ part, severity, at: callerLine(), text: printable(text) }, heard)
    }
    return {
      info: (text) => {
        say('I', text)
      },
      warn: (text) => {
        say('W', text)
      },
      error: (text) => {
        say('E', text)
      },
      debug: (level, text) => {
        // Wanted by whoever gave -v: never withheld.
        if (level <= this.#verbosity) this.#print({ part, severity: 'I', at: callerLine(3), text: printable(text) }, [])
      },
      part: (name, hear) => this.part(name, hear === undefined ? heard : [...heard, hear]),
    }
  }

  fatal(part: string, text: string, heard: readonly LogListener[]): void {
    this.#print({ part, severity: 'E', at: callerLine(), text: printable(text) }, heard)
  }

  #say(line: Line, heard: readonly LogListener[]): void {
    const place = `${line.severity} ${line.part} ${line.at}`
    if (this.#budget.allows(place)) this.#print(line, heard)
    else if (this.#last.has(place) || this.#last.size < LIMITS.subjects) this.#last.set(place, { line, heard })
  }

  #sumUp(withheld: ReadonlyMap<string, number>): void {
    for (const [place, { line, heard }] of this.#last) {
      const text = `${line.text} (and ${(withheld.get(place) ?? 1) - 1} more lines of this kind, withheld)`
      this.#print({ ...line, text }, heard)
    }
    this.#last.clear()
  }

  #print({ part, severity, at, text }: Line, heard: readonly LogListener[]): void {
    for (const hear of heard) hear(part, severity, text)
    const place = at.slice(0, at.indexOf(':'))
    this.#write(`${severity}${stamp(new Date())} ${String(process.pid).padStart(7)} ${part}.ts:${place}] ${text}\n`)
  }
}

/** A line before it is written. */
interface Line {
  readonly part: string
  readonly severity: Severity
  /** Line and column of the caller. */
  readonly at: string
  readonly text: string
}

/** klog's time stamp, local time: `0520 02:24:57.594377`. */
function stamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const micro = String(now.getMilliseconds() * 1000).padStart(6, '0')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
  return `${two(now.getMonth() + 1)}${two(now.getDate())} ${time}.${micro}`
}

/** Where in the running program the log was called, as `line:column`; `frame` is that of the caller in the stack. */
function callerLine(frame = 4): string {
  // Frames: Error, callerLine, what called it, the log's own method, the caller.
  const text = new Error().stack?.split('\n')[frame] ?? ''
  return /:(\d+:\d+)\)?$/.exec(text)?.[1] ?? '0:0'
}
