// Log lines in klog's form on stderr: `I0520 02:24:57.594377    2463 lease/own.ts:88] text`, with the file and line of the
// source that logs, as klog writes them under -add_dir_header.
// Invariants: one call, one line; whatever others cause, a bounded number of lines.
import { type SourcePlace, sourcePlace } from './process/source-place.ts'
import { WallClock } from './process/wall-clock.ts'
import { type BudgetLimits, LineBudget } from './text/line-budget.ts'
import { printable } from './text/plain-text.ts'

/**
 * Where a part of the daemon writes its lines. `debug(level, ...)` is printed when `-v` is at least `level`. A line names the place
 * in the program it comes from: that of the caller, or of the caller's caller for an `above` of 1, and so on.
 */
export interface Log {
  info(text: string, above?: number): void
  warn(text: string, above?: number): void
  error(text: string, above?: number): void
  debug(level: number, text: string, above?: number): void
  /** The same sink under another part's name. */
  part(name: string): Log
}

/** The log of the program. Only it ends the process. */
export interface ProgramLog extends Log {
  /** The last error of the process. No budget withholds it, since no later summary could report it. */
  fatal(text: string): void
}

/** klog's info, warning, error. */
type Severity = 'I' | 'W' | 'E'

/** Limits of the lines that one place in the program, and all together, may write: others can trigger some at will. */
const LIMITS: BudgetLimits = {
  each: { burst: 300, everyMs: 2_000 },
  all: { burst: 3_000, everyMs: 200 },
  subjects: 200,
  sumMs: 60_000,
}

/** A log that writes klog lines through `write` (complete lines, with the newline). */
export function createLog(
  part: string,
  verbosity: number,
  write: (line: string) => void,
  limits: BudgetLimits = LIMITS,
): ProgramLog {
  const lines = new Lines(verbosity, write, limits)
  return {
    ...lines.part(part),
    fatal: (text) => {
      lines.fatal(part, text)
    },
  }
}

/** Where the lines of all parts come together. */
class Lines {
  readonly #verbosity: number
  readonly #write: (line: string) => void
  readonly #budget: LineBudget
  readonly #clock = new WallClock()
  /** The last line withheld of each place, until the next sum. */
  readonly #last = new Map<string, Line>()

  constructor(verbosity: number, write: (line: string) => void, limits: BudgetLimits) {
    this.#verbosity = verbosity
    this.#write = write
    this.#budget = new LineBudget(limits, ({ bySubject }) => {
      this.#sumUp(bySubject)
    })
  }

  part(part: string): Log {
    const say = (severity: Severity, text: string, above: number): void => {
      this.#say({ part, severity, from: sourcePlace(3 + above), text: printable(text) })
    }
    return {
      info: (text, above = 0) => {
        say('I', text, above)
      },
      warn: (text, above = 0) => {
        say('W', text, above)
      },
      error: (text, above = 0) => {
        say('E', text, above)
      },
      debug: (level, text, above = 0) => {
        // Wanted by the operator who gave -v: never withheld.
        if (level > this.#verbosity) return
        this.#print({ part, severity: 'I', from: sourcePlace(2 + above), text: printable(text) })
      },
      part: (name) => this.part(name),
    }
  }

  fatal(part: string, text: string): void {
    this.#print({ part, severity: 'E', from: sourcePlace(3), text: printable(text) })
  }

  #say(line: Line): void {
    const place = `${line.severity} ${line.part} ${line.from.key}`
    if (this.#budget.allows(place)) this.#print(line)
    else if (this.#last.has(place) || this.#last.size < LIMITS.subjects) this.#last.set(place, line)
  }

  #sumUp(withheld: ReadonlyMap<string, number>): void {
    for (const [place, line] of this.#last) {
      const text = `${line.text} (and ${(withheld.get(place) ?? 1) - 1} more lines of this kind, withheld)`
      this.#print({ ...line, text })
    }
    this.#last.clear()
  }

  #print({ severity, from, text }: Line): void {
    const time = stamp(this.#clock.now())
    this.#write(`${severity}${time} ${String(process.pid).padStart(7)} ${from.file}:${from.line}] ${text}\n`)
  }
}

/** A line before it is written. */
interface Line {
  readonly part: string
  readonly severity: Severity
  readonly from: SourcePlace
  readonly text: string
}

/** klog's time stamp of milliseconds since 1970, local time: `0520 02:24:57.594377`. */
function stamp(now: number): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const date = new Date(now)
  const micro = String(Math.floor((now % 1000) * 1000)).padStart(6, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${two(date.getMonth() + 1)}${two(date.getDate())} ${time}.${micro}`
}
