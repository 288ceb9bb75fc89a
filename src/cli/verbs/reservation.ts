// `flanneld reserve` and `flanneld release`: keeps a subnet for one host without expiry, and ends that.
import type { Released, Reserved } from '../../lease/reserve.ts'
import { askedOf } from '../asked.ts'
import { askDaemonOrEtcd } from '../daemon-or-etcd.ts'
import type { Terminal } from '../terminal.ts'

const RESERVE_HELP = `Usage: flanneld reserve SUBNET[,SUBNET] PUBLIC-IP [-json] [OPTION]...

Reserves a subnet for the host with that public address: its daemon takes it at its next start and keeps it without an
end. In a network of IPv4 and IPv6 name one of each, or one: the other is then any free one. A lease the host has already
becomes the reservation. Another host's lease or reservation is never touched.
`

const RELEASE_HELP = `Usage: flanneld release SUBNET [-json] [OPTION]...

Gives a reservation back. Where no host has taken it the subnet is free at once; otherwise it becomes an ordinary lease,
which its host renews while it runs and which ends a day after.
`

/** Runs `flanneld reserve`; the exit status. Throws OperatorError. */
export async function reserveVerb(args: readonly string[], { env, out }: Terminal): Promise<number> {
  const asked = askedOf('reserve', args, env, { words: [2, 2] })
  if (asked === 'help') {
    out(RESERVE_HELP)
    return 0
  }
  const [subnet, publicAddress] = asked.words
  const done = (await askDaemonOrEtcd(asked.options, 'POST /v1/reserve', { subnet, publicAddress })) as Reserved
  const subnets = `${done.subnets.join(' and ')} ${done.subnets.length === 1 ? 'is' : 'are'}`
  out(asked.json ? `${JSON.stringify(done)}\n` : `${subnets} reserved for ${done.publicAddress}: ${done.note}\n`)
  return 0
}

/** Runs `flanneld release`; the exit status. Throws OperatorError. */
export async function releaseVerb(args: readonly string[], { env, out }: Terminal): Promise<number> {
  const asked = askedOf('release', args, env, { words: [1, 1] })
  if (asked === 'help') {
    out(RELEASE_HELP)
    return 0
  }
  const [subnet] = asked.words
  const done = (await askDaemonOrEtcd(asked.options, 'POST /v1/release', { subnet })) as Released
  const state = done.now === 'free' ? 'is free' : 'is no longer reserved'
  out(asked.json ? `${JSON.stringify(done)}\n` : `${done.subnet} ${state}: ${done.note}\n`)
  return 0
}
