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
export function renderLeases({ leases: lines, subnets, trouble, shutOut }: LeaseView): string {
  const heading = ['SUBNET', 'PUBLIC IP', 'TYPE', 'KIND', 'EXPIRES IN', 'HOST', 'NOTE']
  const table = lines.length === 0 ? '' : columns([heading, ...lines.map(rowOf)])
  const out =
    shutOut.length === 0 ? '' : `shut out: ${shutOut.join(', ')}; flanneld readmit PUBLIC-IP lets one in again\n`
  if (subnets === null) return `${table}${out}${printable(trouble)}\n`
  const { total, used, reserved, next } = subnets
  const rest = next === null ? 'none free' : `next free ${next}`
  return `${table}${out}${used} of ${total} subnets used, ${reserved} reserved, ${rest}\n`
}

function rowOf(line: LeaseLine): readonly string[] {
  const { subnet, subnet6, publicAddress, type, kind, expiresIn, hostId, own, note } = line
  const end = kind === 'reservation' ? 'never' : expiresIn === null ? '-' : span(expiresIn)
  const place = subnet6 === null ? subnet : `${subnet} ${subnet6}`
  const notes = [own ? 'this host' : '', note].filter((text) => text !== '')
  return [place, publicAddress ?? '-', type ?? '-', kind, end, hostId?.slice(0, 8) ?? '-', notes.join('; ')]
}
