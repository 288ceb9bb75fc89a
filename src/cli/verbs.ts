// The words that may stand in place of running the daemon, and what each does.
import { UsageError } from '../options/go-flags.ts'
import type { Verb } from '../options/usage.ts'
import { cleanupVerb } from './verbs/cleanup.ts'
import { completion } from './verbs/completion.ts'
import { config } from './verbs/config.ts'
import { dockerNetwork } from './verbs/docker-network.ts'
import { dockerOpts } from './verbs/docker-opts.ts'
import { doctor } from './verbs/doctor.ts'
import { events } from './verbs/events.ts'
import { leases } from './verbs/leases.ts'
import { peers } from './verbs/peers.ts'
import { ping } from './verbs/ping.ts'
import { releaseVerb, reserveVerb } from './verbs/reservation.ts'
import { readmitVerb, shutOutVerb } from './verbs/shut-out.ts'
import { status } from './verbs/status.ts'
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
    // The daemon's full usage would hide the line.
    terminal.err(`flanneld: ${error.message}\nSee flanneld ${verb} -help.\n`)
    return 2
  }
}
