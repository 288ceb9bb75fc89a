// The words that may stand in place of running the daemon, and what each does.
import { UsageError } from '../options/parse.ts'
import type { Verb } from '../options/usage.ts'
import { cleanupVerb } from './cleanup.ts'
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
import { readmitVerb, shutOutVerb } from './shut-out.ts'
import { status } from './status.ts'
import type { Terminal } from './terminal.ts'

/** What each verb does with what follows it; the exit status. */
const RUN: Readonly<Record<Verb, (args: readonly string[], terminal: Terminal) => Promise<number>>> = {
  cleanup: cleanupVerb,
  completion,
  config,
  'docker-network': (args, { env, out }) => dockerNetwork(args, env, out).then(() => 0),
  'docker-opts': (args, { env, out }) => dockerOpts(args, env, out).then(() => 0),
  doctor,
  events,
  leases,
  peers,
  ping,
  readmit: readmitVerb,
  release: releaseVerb,
  reserve: reserveVerb,
  'shut-out': shutOutVerb,
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
