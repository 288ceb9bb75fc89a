// The daemon from its sources with a shorter hold after lost data than an operator would want: `node short-hold.ts MS ARGS`.
import { BACKENDS } from '../../../backends/index.ts'
import { runDaemon } from '../../../src/daemon/daemon.ts'
import { createLog } from '../../../src/log.ts'
import { parseOptions } from '../../../src/options/parse.ts'

const [hold, ...args] = process.argv.slice(2)
const asked = parseOptions(args, process.env)
if (asked.kind !== 'run') throw new Error(`not arguments of a run: ${args.join(' ')}`)
const log = createLog('main', asked.options.verbosity, (line) => process.stderr.write(line))
const { signal } = new AbortController()
await runDaemon({
  options: asked.options,
  backends: BACKENDS,
  version: 'short-hold',
  log,
  signal,
  holdMs: Number(hold),
})
