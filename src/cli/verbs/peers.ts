// `flanneld peers`: who else is in the network, how packets go there and how that goes, trouble first. Asks the running
// daemon; where none answers, etcd when that is named, else what is left in the kernel.
import type { PeerView } from '../../view/status-shape.ts'
import { askControl, controlPath } from '../../http/control-socket.ts'
import { type LeaseLine, familiesOfLease } from '../../view/leases.ts'
import type { Environment } from '../../options/parse.ts'
import { UNPROBED, UNTESTED, isTrouble, worstFirst } from '../../view/peers.ts'
import { span } from '../../text/duration.ts'
import { readSubnetEnv } from '../../host/subnet-env.ts'
import { type AskedVerb, askedOf } from '../asked.ts'
import { peersTold } from '../older-daemon.ts'
import { columns } from '../../text/columns.ts'
import { peersInKernel } from '../kernel-peers.ts'
import { etcdSeen, objectsLeft } from '../left-behind.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld peers [-json] [OPTION]...

Lists the peers, those in trouble first: how packets go there, whether the probes come back, how fast, and how large they
may be; and leases that are refused, with the reason. Asks the running daemon; where none runs, etcd when -etcd-endpoints
is given, else what is left in the kernel.

Exit status: 0 none in trouble, 1 some (a refused lease only if that is a fault), 3 no daemon answers.
`

/** The peers and their source. */
interface Seen {
  readonly source: 'daemon' | 'etcd' | 'kernel'
  readonly peers: readonly PeerView[]
  /** Why etcd was not the source, where it should be. */
  readonly trouble?: string
}

const SOURCES = { etcd: 'etcd has', kernel: 'the last daemon left them in the kernel' } as const

/** Runs it; the exit status. Throws OperatorError. */
export async function peers(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const asked = askedOf('peers', args, env)
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const { source, peers: found, trouble } = await look(asked, env)
  const sorted = worstFirst(found)
  if (trouble !== undefined) err(`${trouble}\n`)
  if (asked.json) {
    out(`${JSON.stringify({ source, peers: sorted })}\n`)
  } else {
    if (source !== 'daemon') err(`no daemon answers: the peers as ${SOURCES[source]}\n`)
    out(renderPeers(sorted, Date.now()))
  }
  if (source !== 'daemon') return 3
  return found.some(isTrouble) ? 1 : 0
}

async function look(asked: AskedVerb, env: Environment): Promise<Seen> {
  const { subnetFile } = asked.options
  const told = await askControl(controlPath(subnetFile), 'GET /v1/peers')
  if (told !== undefined) return { source: 'daemon', peers: peersTold(told) }
  const etcd = await etcdSeen(asked, env, await readSubnetEnv(subnetFile))
  if (etcd !== undefined && 'view' in etcd) return { source: 'etcd', peers: etcd.view.leases.flatMap(peerOf) }
  const left = await objectsLeft(['neighbor', 'fdb', 'nexthop'])
  return { source: 'kernel', peers: peersInKernel(left), ...(etcd === undefined ? {} : { trouble: etcd.error }) }
}

/** A lease as a peer; none for our own, and for a reservation whose host has not come. */
function peerOf(line: LeaseLine): readonly PeerView[] {
  const { subnet, publicAddress, type, own, note } = line
  if (own || type === null) return []
  const unseen = { ...UNTESTED, via: type, state: 'unknown', note } as const
  const families = familiesOfLease(line).map((family) => ({ ...family, ...unseen }))
  return [{ ...UNPROBED, ...unseen, subnet, publicAddress, type, families }]
}

/** The text a person reads. `now` in milliseconds since 1970. Pure. */
export function renderPeers(found: readonly PeerView[], now: number): string {
  if (found.length === 0) return 'no peers\n'
  const heading = ['SUBNET', 'PUBLIC IP', 'VIA', 'STATE', 'RTT', 'LOSS', 'PATH MTU', 'SINCE']
  const whys = found.some(({ why }) => why !== '')
  const ends = (why: string, note: string): readonly string[] => (whys ? [why, note] : [note])
  return columns([
    [...heading, ...ends('WHY SO', 'NOTE')],
    ...found.map((peer) => [...rowOf(peer, now), ...ends(peer.why, peer.note)]),
  ])
}

function rowOf(peer: PeerView, now: number): readonly string[] {
  const { via, encrypted, state, rttMs, loss, pathMtu, since, cause } = peer
  return [
    ofFamilies(peer, ({ subnet }) => subnet),
    ofFamilies(peer, ({ publicAddress }) => publicAddress ?? '-'),
    via === '' ? '-' : `${via}${encrypted === true ? ' encrypted' : ''}`,
    state,
    rttMs === null ? '-' : `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)}ms`,
    loss === null ? '-' : percent(loss),
    pathMtu === null ? '-' : `${pathMtu}${cause === 'path-mtu' ? ' !' : ''}`,
    since === null ? '-' : span((now - since) / 1000).replaceAll(' ', ''),
  ]
}

/** A value of each family of a host; the one where they have the same. */
function ofFamilies(
  { families, ...host }: PeerView,
  text: (view: Pick<PeerView, 'subnet' | 'publicAddress'>) => string,
): string {
  const texts = families.length === 0 ? [text(host)] : families.map(text)
  return [...new Set(texts)].join(' ')
}

/** "0%", "<1%", "3%": what is lost is never shown as nothing. */
function percent(share: number): string {
  const rounded = Math.round(share * 100)
  return share > 0 && rounded === 0 ? '<1%' : share < 1 && rounded === 100 ? '99%' : `${rounded}%`
}
