// The program: reads the command line, runs what it asks for, and is the only place that ends the process.
// Exit status: 0 stopped as asked, 1 a fatal error (one line on stderr says which), 2 a command line that makes no sense.
import { BACKENDS } from '../backends/index.ts'
import pkg from '../package.json' with { type: 'json' }
import { runVerb } from './cli/verbs.ts'
import { runDaemon } from './daemon.ts'
import { OperatorError, messageOf } from './errors.ts'
import { type Log, createLog } from './log.ts'
import { type Options, UsageError, parseOptions, usage } from './options.ts'

/** SIGTERM has to end the process within 2 s, whatever is under way (P2). */
const STOP_MS = 1500

// What Node and its libraries deprecate is nothing an operator can mend.
process.noDeprecation = true

async function main(): Promise<number> {
  const asked = parseOptions(process.argv.slice(2), process.env)
  switch (asked.kind) {
    case 'help':
      process.stdout.write(asked.text)
      return 0
    case 'version':
      process.stdout.write(`flanneld ${pkg.version}\n`)
      return 0
    case 'verb':
      return runVerb(asked.verb, asked.args, {
        env: process.env,
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
        screen: process.stdout.isTTY,
      })
    case 'run':
      return daemon(asked.options, asked.warnings)
  }
}

async function daemon(options: Options, warnings: readonly string[]): Promise<number> {
  const log = createLog('main', options.verbosity, (line) => process.stderr.write(line))
  for (const warning of warnings) log.warn(warning)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => endSoon(signal, stop, log))
  try {
    await runDaemon({ options, backends: BACKENDS, version: pkg.version, log, signal: stop.signal })
    log.info('stopped; forwarding stays as it is')
    return 0
  } catch (error) {
    if (stop.signal.aborted) return 0
    log.error(fatal(error))
    return 1
  }
}

function endSoon(signal: string, stop: AbortController, log: Log): void {
  if (stop.signal.aborted) return
  log.info(`${signal}: stopping`)
  stop.abort()
  setTimeout(() => process.exit(0), STOP_MS).unref()
}

/** One line for what the operator can mend, the whole stack for what only we can. */
function fatal(error: unknown): string {
  if (error instanceof OperatorError) return error.message
  return error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error)
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    const usageError = error instanceof UsageError
    process.stderr.write(`flanneld: ${fatal(error)}\n${usageError ? `\n${usage()}` : ''}`)
    process.exit(usageError ? 2 : 1)
  },
)
