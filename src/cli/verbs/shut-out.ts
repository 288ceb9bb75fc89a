// `flanneld shut-out` and `flanneld readmit`: one host out of the network at once, on every host, and back.
import type { Readmitted, ShutOut } from '../../lease/shut-out.ts'
import { type AskedVerb, askedOf } from '../asked.ts'
import { askDaemonOrEtcd } from '../daemon-or-etcd.ts'
import type { Terminal } from '../terminal.ts'

const SHUT_OUT_HELP = `Usage: flanneld shut-out PUBLIC-IP|SUBNET [-json] [OPTION]...

Shuts a host out: every daemon takes it out of kernel, guard and probes at once and believes no lease of that address any
more, until flanneld readmit. Its leases are deleted, so that hosts with Go's flanneld forget it as well. Whoever runs a
stolen host may still write into etcd: take its user away there.

Exit status: 0; 1 when it is not shut out, or a lease of it is written again as fast as it is deleted.
`

const READMIT_HELP = `Usage: flanneld readmit PUBLIC-IP [-json] [OPTION]...

Lets a host in again that was shut out. It is a peer as soon as it has a lease.
`

/** Runs `flanneld shut-out`; the exit status. Throws OperatorError. */
export async function shutOutVerb(args: readonly string[], { env, out }: Terminal): Promise<number> {
  const asked = askedOf('shut-out', args, env, { words: [1, 1] })
  if (asked === 'help') {
    out(SHUT_OUT_HELP)
    return 0
  }
  const done = (await ask(asked, 'POST /v1/shut-out', 'target')) as ShutOut
  out(asked.json ? `${JSON.stringify(done)}\n` : renderShutOut(done))
  return done.left.length === 0 ? 0 : 1
}

/** Runs `flanneld readmit`; the exit status. Throws OperatorError. */
export async function readmitVerb(args: readonly string[], { env, out }: Terminal): Promise<number> {
  const asked = askedOf('readmit', args, env, { words: [1, 1] })
  if (asked === 'help') {
    out(READMIT_HELP)
    return 0
  }
  const done = (await ask(asked, 'POST /v1/readmit', 'address')) as Readmitted
  out(asked.json ? `${JSON.stringify(done)}\n` : `${done.address} is readmitted: a peer as soon as it has a lease\n`)
  return 0
}

function ask({ options, words: [word] }: AskedVerb, route: string, field: string): Promise<unknown> {
  return askDaemonOrEtcd(options, route, { [field]: word })
}

/** The text a person reads. Pure. */
export function renderShutOut({ address, deleted, left, already }: ShutOut): string {
  const lease = deleted.length === 0 ? '' : `; deleted: ${deleted.join(', ')}`
  const rest =
    left.length === 0
      ? ''
      : `\n→ it writes ${left.join(', ')} again: take its user away in etcd; hosts with Go's flanneld still believe it`
  return `${address} ${already ? 'was shut out already' : 'is shut out'}${lease}${rest}\n`
}
