// The words that may stand in place of running the daemon, and what each does.
import { OperatorError } from '../errors.ts'
import { createLog } from '../log.ts'
import { type Environment, parseOptions } from '../options.ts'
import type { Verb } from '../options/usage.ts'
import { cleanup } from './cleanup.ts'
import { dockerNetwork } from './docker-network.ts'
import { dockerOpts } from './docker-opts.ts'
import { status } from './status.ts'

/** What a verb works with. */
export interface Terminal {
  readonly env: Environment
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Runs a verb to its end: the exit status. Throws OperatorError. */
export async function runVerb(verb: Verb, args: readonly string[], terminal: Terminal): Promise<number> {
  const { env, out } = terminal
  switch (verb) {
    case 'cleanup':
      await cleanUp(args, terminal)
      return 0
    case 'docker-network':
      await dockerNetwork(args, env, out)
      return 0
    case 'docker-opts':
      await dockerOpts(args, env, out)
      return 0
    case 'status':
      return status(args, env, out)
  }
}

/** Takes the daemon's flags, so that it finds what a daemon with these left behind; and -dry-run. */
async function cleanUp(args: readonly string[], { env, out, err }: Terminal): Promise<void> {
  const flags = args.filter((arg) => !/^--?dry-run$/.test(arg))
  const asked = parseOptions(flags, env)
  if (asked.kind === 'help') return out(`Usage: flanneld cleanup [-dry-run] [OPTION]...\n\n${asked.text}`)
  if (asked.kind !== 'run') throw new OperatorError('cleanup: takes -dry-run and the flags of the daemon')
  const { options } = asked
  await cleanup(options, flags.length < args.length, createLog('cleanup', options.verbosity, err), (line) =>
    out(`${line}\n`),
  )
}
