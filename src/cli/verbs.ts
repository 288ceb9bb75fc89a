// The words that may stand in place of running the daemon, and what each does.
import { OperatorError } from '../errors.ts'
import { createLog } from '../log.ts'
import { UsageError, parseOptions } from '../options.ts'
import type { Verb } from '../options/usage.ts'
import { cleanup } from './cleanup.ts'
import { completion } from './completion.ts'
import { config } from './config.ts'
import { dockerNetwork } from './docker-network.ts'
import { dockerOpts } from './docker-opts.ts'
import { doctor } from './doctor.ts'
import { events } from './events.ts'
import { leases } from './leases.ts'
import { peers } from './peers.ts'
import { ping } from './ping.ts'
import { releaseVerb, reserveVerb } from './reservation.ts'
import { status } from './status.ts'
import type { Terminal } from './terminal.ts'

/** What each verb does with what follows it; the exit status. */
const RUN: Readonly<Record<Verb, (args: readonly string[], terminal: Terminal) => Promise<number>>> = {
  cleanup: cleanUp,
  completion,
  config,
  'docker-network': (args, { env, out }) => dockerNetwork(args, env, out).then(() => 0),
  'docker-opts': (args, { env, out }) => dockerOpts(args, env, out).then(() => 0),
  doctor,
  events,
  leases,
  peers,
  ping,
  release: releaseVerb,
  reserve: reserveVerb,
  status,
}

/** Runs a verb to its end: the exit status, 2 for a command line that makes no sense. Throws OperatorError. */
export async function runVerb(verb: Verb, args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await RUN[verb](args, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    // The daemon's whole usage would hide the line.
    terminal.err(`flanneld: ${error.message}\nSee flanneld ${verb} -help.\n`)
    return 2
  }
}

/** Takes the daemon's flags, so that it finds what a daemon with these left behind; and -dry-run. */
async function cleanUp(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const flags = args.filter((arg) => !/^--?dry-run$/.test(arg))
  const asked = parseOptions(flags, env)
  if (asked.kind === 'help') {
    out(`Usage: flanneld cleanup [-dry-run] [OPTION]...\n\n${asked.text}`)
    return 0
  }
  if (asked.kind !== 'run') throw new OperatorError('cleanup: takes -dry-run and the flags of the daemon')
  const { options } = asked
  await cleanup(options, flags.length < args.length, createLog('cleanup', options.verbosity, err), (line) =>
    out(`${line}\n`),
  )
  return 0
}
