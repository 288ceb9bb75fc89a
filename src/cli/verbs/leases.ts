// `flanneld leases`: who has which subnet and until when, what is reserved, what is free.
import type { LeaseLine, LeaseView } from '../../view/leases.ts'
import { printable } from '../../text/plain-text.ts'
import { span } from '../../text/duration.ts'
import { askedOf } from '../asked.ts'
import { columns } from '../../text/columns.ts'
import { askDaemonOrEtcd } from '../daemon-or-etcd.ts'
import { leasesTold } from '../older-daemon.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld leases [-json] [OPTION]...

Lists the leases and reservations in etcd: every key under subnets/, also those no daemon believes, with the reason.
Asks the running daemon; where none runs, etcd, by the daemon's -etcd-... options or their variables.
`

/** Runs it; the exit status. Throws OperatorError. */
export async function leases(args: readonly string[], { env, out }: Terminal): Promise<number> {
  const asked = askedOf('leases', args, env)
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const view = leasesTold(await askDaemonOrEtcd(asked.options, 'GET /v1/leases'))
  out(asked.json ? `${JSON.stringify(view)}\n` : renderLeases(view))
  return 0
}

/** The text a person reads. Pure. */
export function renderLeases({ leases: lines, ranges, trouble, shutOut }: LeaseView): string {
  const heading = ['SUBNET', 'PUBLIC IP', 'TYPE', 'KIND', 'EXPIRES IN', 'HOST', 'NOTE']
  const table = lines.length === 0 ? '' : columns([heading, ...lines.map(rowOf)])
  const out =
    shutOut.length === 0 ? '' : `shut out: ${shutOut.join(', ')}; flanneld readmit PUBLIC-IP lets one in again\n`
  if (ranges.length === 0) return `${table}${out}${printable(trouble)}\n`
  const several = ranges.length > 1
  const uses = ranges.map(({ network, total, used, reserved, next }) => {
    const rest = next === null ? 'none free' : `next free ${next}`
    return `${several ? `${network}: ` : ''}${used} of ${total} subnets used, ${reserved} reserved, ${rest}\n`
  })
  return `${table}${out}${uses.join('')}`
}

function rowOf(line: LeaseLine): readonly string[] {
  const { subnet, subnet6, publicAddress, publicAddress6, type, kind, expiresIn, hostId, own, note } = line
  const end = kind === 'reservation' ? 'never' : expiresIn === null ? '-' : span(expiresIn)
  // What names an IPv6 subnet alone has it as its first one.
  const both = (one: string | null, six: string | null): string =>
    [...new Set([one, six])].filter((it) => it !== null).join(' ') || '-'
  const notes = [own ? 'this host' : '', note].filter((text) => text !== '')
  const place = both(subnet, subnet6)
  // A host publishes its IPv6 address in a network of IPv4 alone, too.
  const address = both(publicAddress, subnet6 === null ? null : publicAddress6)
  return [place, address, type ?? '-', kind, end, hostId?.slice(0, 8) ?? '-', notes.join('; ')]
}
