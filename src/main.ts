// The program: reads the command line, runs what it asks for, and is the only place that ends the process.
// Exit status: 0 stopped as asked, 1 a fatal error (one line on stderr says which), 2 a command line that makes no sense.
import { hearWarnings } from './process/start.ts'
import { BACKENDS } from '../backends/index.ts'
import pkg from '../package.json' with { type: 'json' }
import { runVerb } from './cli/verbs.ts'
import { runDaemon } from './daemon/daemon.ts'
import { OperatorError, show } from './errors.ts'
import { LineSink, flushed } from './process/line-sink.ts'
import { type Log, createLog } from './log.ts'
import { endOnSignals, handleSignals } from './process/signals.ts'
import { newStop } from './process/stop.ts'
import { type Options, parseOptions } from './options/parse.ts'
import { UsageError } from './options/go-flags.ts'
import { usage } from './options/usage.ts'
import { printableLines } from './text/plain-text.ts'

/** SIGTERM has to end the process within 2 s, whatever is in progress. */
const STOP_MS = 1500
/** At most this many kinds of Node's warnings are logged. */
const MOST_WARNINGS = 20

/** How long to wait for a fatal line to be written when stderr is not read. Milliseconds. */
const FLUSH_MS = 1000

/** As the shell has it of a program that SIGPIPE ended: a verb whose reader has seen enough, such as head(1). */
const PIPE_STATUS = 141

/** Reports the fault that ends the process. The daemon logs it. */
let reportEnd = (text: string): void => void process.stderr.write(`flanneld: ${text}\n`)

async function main(): Promise<number> {
  const asked = parseOptions(process.argv.slice(2), process.env)
  if (asked.kind === 'run') return daemon(asked.options, asked.warnings)
  process.stdout.on('error', unread)
  process.stderr.on('error', () => undefined)
  endOnSignals((status) => process.exit(status))
  const out = (text: string): void => void process.stdout.write(text)
  if (asked.kind === 'help') out(asked.text)
  else if (asked.kind === 'version') out(`flanneld ${pkg.version}\n`)
  else {
    const err = (text: string): void => void process.stderr.write(printableLines(text))
    const status = await runVerb(asked.verb, asked.args, {
      env: process.env,
      out,
      err,
      screen: process.stdout.isTTY,
    })
    await flushed(process.stdout)
    return status
  }
  await flushed(process.stdout)
  return 0
}

/** Standard output of a verb failed. A pipe whose reader has gone is silent; a full disk is reported. */
function unread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(PIPE_STATUS)
  reportEnd(`standard output: ${error.message}`)
  process.exit(1)
}

async function daemon(options: Options, warnings: readonly string[]): Promise<number> {
  const sink = new LineSink(process.stderr, (lost, why) => {
    log.warn(`log: ${lost} lines before this one are lost: ${why}`)
  })
  const log = createLog('main', options.verbosity, (line) => {
    sink.write(line)
  })
  reportEnd = (text) => {
    log.fatal(text)
  }
  hearWarnings(warningsTo(log))
  for (const warning of warnings) log.warn(warning)
  const stop = newStop()
  handleSignals(
    (signal) => {
      endSoon(signal, stop, log)
    },
    (signal) => {
      const why = 'config changes are applied without a signal, and the reader of the log rotates it'
      log.info(
        signal === 'SIGHUP'
          ? `SIGHUP: ignored, but for WireGuard's key, which is read again: ${why}`
          : `${signal}: ignored: ${why}`,
      )
    },
  )
  try {
    await runDaemon({ options, backends: BACKENDS, version: pkg.version, log, signal: stop.signal })
    log.info('stopped; forwarding stays as it is')
    return 0
  } catch (error) {
    if (stop.signal.aborted) return 0
    log.fatal(fatal(error))
    return 1
  }
}

function endSoon(signal: string, stop: AbortController, log: Log): void {
  if (stop.signal.aborted) return
  log.info(`${signal}: stopping`)
  stop.abort()
  setTimeout(() => process.exit(0), STOP_MS).unref()
}

/** Logs one line for each kind of Node's warnings: they point to a fault in flanneld, which only its authors can correct. */
function warningsTo(log: Log): (warning: Error) => void {
  const logged = new Set<string>()
  return ({ name, message }) => {
    if (logged.has(name) || logged.size > MOST_WARNINGS) return
    logged.add(name)
    log.warn(`node: ${name}: ${message}: please report this`)
  }
}

/** One line for what the operator can correct, the full stack for a fault of the program. Total: anything can be thrown. */
function fatal(error: unknown): string {
  if (error instanceof OperatorError) return error.message
  return error instanceof Error && typeof error.stack === 'string' ? error.stack : `thrown: ${show(error)}`
}

/** An uncaught error may leave anything half done: log one line and exit; the next start repairs the rest. */
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => {
    reportEnd(fatal(error))
    process.exit(1)
  })

main().then(
  async (status) => {
    // Its reader may never come; a stop has its own limit.
    setTimeout(() => process.exit(status), FLUSH_MS)
    await flushed(process.stderr)
    process.exit(status)
  },
  (error: unknown) => {
    const usageError = error instanceof UsageError
    reportEnd(usageError ? `${printableLines(error.message)}\n\n${usage()}`.trimEnd() : printableLines(fatal(error)))
    process.exit(usageError ? 2 : 1)
  },
)
