// `flanneld ping`: probes one peer now, through the tunnel and outside it, and says what that shows. The running daemon
// reports the path; where none runs, what is left in the kernel shows it.
import { newStop } from '../../process/stop.ts'
import { askControl, controlPath } from '../../http/control-socket.ts'
import { OperatorError } from '../../errors.ts'
import { addressOf, parsePrefix } from '../../ip/prefix.ts'
import { EvidenceBook } from '../../probe/evidence.ts'
import { UNTRIED, judgeTurn } from '../../probe/judge.ts'
import { familiesOn } from '../../probe/path.ts'
import { Pinger } from '../../probe/pinger.ts'
import type { Tallies } from '../../probe/turn-plan.ts'
import type { PathView } from '../../control/path-route.ts'
import { addedUp } from '../../probe/tally.ts'
import { takeTurn } from '../../probe/turn.ts'
import { UsageError } from '../../options/go-flags.ts'
import { askedOf } from '../asked.ts'
import { type PingReport, pingReport, renderPing } from '../ping-report.ts'
import { pathLeft } from '../ping-path.ts'
import { pathTold } from '../older-daemon.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld ping SUBNET|IP [-json] [-count N] [OPTION]...

Probes one peer now, by ICMP: through the tunnel and to its host outside it, small packets and packets of the full MTU. Says
how many came back, how fast, how large they may be, and what that means. The peer is named by its subnet, an address in
it, or its host's address. A host with two families is probed in both, the one that it was named by first.

  -count N  number of rounds, 1 to 1000 (default 1): each is four small packets and two of the full size each way, and some
            more when they are lost

Asks the running daemon for the path; where none runs, the kernel. Needs CAP_NET_RAW.
Exit status: 0 all came back, 1 with trouble, 2 nothing came back.
`

/** Runs it; the exit status. Throws OperatorError. */
export async function ping(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const asked = askedOf('ping', args, env, { flags: { count: 'value' }, words: [1, 1] })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const [to = ''] = asked.words
  const count = roundsOf(asked.value('count') ?? '1')
  const { subnetFile } = asked.options
  const told = await tell(subnetFile, to)
  if (told === undefined) err('no daemon answers: the path as the last one left it in the kernel\n')
  const view = told ?? (await pathLeft(to, subnetFile))
  const other = view.also === null ? undefined : await tell(subnetFile, view.also)
  const [report, also] = await Promise.all([probe(view, count), other && probe(other, count)])
  const source = told === undefined ? 'kernel' : 'daemon'
  out(
    asked.json
      ? `${JSON.stringify({ source, ...report, also: also ?? null })}\n`
      : `${renderPing(report)}${also === undefined ? '' : renderPing(also)}`,
  )
  return statusOf(also === undefined ? [report] : [report, also])
}

/** The number of rounds. Throws UsageError. */
function roundsOf(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 1000) return count
  throw new UsageError(`ping: -count: ${text}: must be a number from 1 to 1000`)
}

/** The path to a peer, as the running daemon tells it; undefined where none runs. Rejects with OperatorError. */
async function tell(subnetFile: string, to: string): Promise<PathView | undefined> {
  const told = await askControl(controlPath(subnetFile), `GET /v1/path?to=${encodeURIComponent(to)}`)
  return told === undefined ? undefined : pathTold(told)
}

function statusOf(reports: readonly PingReport[]): number {
  const silent = reports.filter(({ state }) => state === 'unreachable' || state === 'unknown')
  if (silent.length === reports.length) return 2
  return silent.length === 0 && reports.every(({ cause }) => cause === 'none') ? 0 : 1
}

async function probe(view: PathView, count: number): Promise<PingReport> {
  const subnet = parsePrefix(view.subnet)
  if (subnet === undefined) throw new OperatorError(`${view.subnet}: no subnet`)
  const path = { ...view, tunnel: view.tunnel ?? undefined, onLink: undefined, needs: [] }
  const peer = addressOf(subnet)
  const evidence = new EvidenceBook()
  const stop = newStop()
  const pinger = new Pinger({
    // The peer's daemon, if it probes us meanwhile, shows which direction is blocked.
    heard: ({ source, mark }) => {
      if (mark.subnet !== peer) return
      evidence.came(peer, source === peer ? 'tunnel' : 'underlay', mark.heard, performance.now())
    },
    broken: () => {
      stop.abort()
    },
  })
  for (const family of familiesOn(path)) await pinger.open(family)
  const from = performance.now()
  const mark = { subnet: view.tunnel?.source, silent: false, trial: false, heard: undefined }
  let tallies: Tallies | undefined
  try {
    for (let round = 0; round < count; round++) {
      const turn = await takeTurn({ path, hint: 0, expected: 'answers', pinger, mark: () => mark, signal: stop.signal })
      if (turn === undefined) throw new OperatorError('ping: the raw socket was closed')
      tallies = tallies === undefined ? turn : addedUp(tallies, turn)
    }
  } finally {
    pinger.close()
  }
  if (tallies === undefined) throw new Error('bug: no round was taken')
  const now = performance.now()
  const turn = { path, tallies, evidence: evidence.of(peer), from, to: now, at: Date.now() }
  return pingReport(view, tallies, judgeTurn(UNTRIED, turn))
}
