// What a ping found, as values and as text. Pure.
import type { PeerHealth } from '../probe/peer-health.ts'
import type { Lane } from '../probe/path.ts'
import type { Tallies } from '../probe/turn-plan.ts'
import type { PathView } from '../control/path-route.ts'
import { type Tally, passes, smallOnes } from '../probe/tally.ts'
import { printable } from '../text/plain-text.ts'
import { columns } from '../text/columns.ts'

/** One way of asking. Null is what is not known. */
interface LaneReport {
  readonly source: string
  readonly destination: string
  /** Small packets. */
  readonly sent: number
  readonly answered: number
  /** The least milliseconds there and back. */
  readonly rttMs: number | null
  /** Bytes of the largest packet that should pass, 0 when not asked, and of the largest that did. */
  readonly full: number
  readonly largest: number | null
}

/** What a ping found. */
export interface PingReport extends Pick<PeerHealth, 'state' | 'cause' | 'note'> {
  readonly subnet: string
  readonly publicAddress: string
  readonly via: PathView['via']
  /** Of containers, and how much of it gets there. */
  readonly mtu: number
  readonly pathMtu: number | null
  readonly rttMs: number | null
  /** Lost small packets, 0 to 1. */
  readonly loss: number
  readonly tunnel: LaneReport | null
  readonly underlay: LaneReport
}

/** Puts it together. */
export function pingReport(view: PathView, tallies: Tallies, found: PeerHealth): PingReport {
  const { subnet, publicAddress, via, mtu, health } = view
  const main = tallies.tunnel ?? tallies.underlay
  const { sent, answered } = smallOnes(main)
  // The daemon has watched for longer: it may know which direction is blocked.
  const known = found.cause === 'tunnel-blocked' && health?.cause.startsWith('tunnel-blocked') === true ? health : found
  return {
    subnet,
    publicAddress,
    via,
    mtu,
    pathMtu: found.pathMtu ?? null,
    rttMs: main.rttMs ?? null,
    loss: sent === 0 ? 0 : (sent - answered) / sent,
    state: found.state,
    cause: known.cause,
    note: known.note,
    tunnel: view.tunnel === null || tallies.tunnel === undefined ? null : laneReport(view.tunnel, tallies.tunnel),
    underlay: laneReport(view.underlay, tallies.underlay),
  }
}

function laneReport({ source, destination, full }: Lane, tally: Tally): LaneReport {
  const { sent, answered } = smallOnes(tally)
  const largest = passes(tally)
  return { source, destination, sent, answered, rttMs: tally.rttMs ?? null, full, largest: largest || null }
}

/** The text a person reads: the verdict first. */
export function renderPing(report: PingReport): string {
  const { subnet, publicAddress, via, state, note, tunnel, underlay } = report
  const verdict = `${state}   ${subnet} on ${publicAddress}${note === '' ? '' : ` · ${note}`}`
  const rows = [
    ...(tunnel === null ? [] : [rowOf('in the tunnel', tunnel)]),
    rowOf(via === 'direct' ? 'directly' : 'to its host', underlay),
  ]
  const next = state === 'up' && note === '' ? '' : `  → Run: flanneld doctor ${subnet}\n`
  return `${printable(verdict)}\n${columns(rows)}${next}`
}

function rowOf(name: string, { source, destination, sent, answered, rttMs, full, largest }: LaneReport): string[] {
  const size =
    full === 0 || largest === null ? '' : largest >= full ? `${full} bytes pass` : `${largest} of ${full} bytes pass`
  const back = `${answered} of ${sent} back`
  return [`  ${name}`, `${source} to ${destination}`, back, rttMs === null ? '-' : `${rttMs.toFixed(1)}ms`, size]
}
