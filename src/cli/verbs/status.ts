// `flanneld status`: how this host is doing, verdict first. Asks the running daemon; when none answers, subnet.env, the
// kernel and etcd show what is left. Exit status: 0 healthy, 1 degraded, 2 broken, 3 not running.
import type { Status } from '../../view/status-shape.ts'
import { newStop } from '../../process/stop.ts'
import { Unanswered, askControl, controlPath } from '../../http/control-socket.ts'
import { pause } from '../../async/wait.ts'
import type { Environment } from '../../options/parse.ts'
import type { LeaseView } from '../../view/leases.ts'
import { span } from '../../text/duration.ts'
import { printable } from '../../text/plain-text.ts'
import { factsOf, headline, reasonLines } from '../../view/status-text.ts'
import { type FoundSubnetEnv, readSubnetEnv, networkIn, subnetIn } from '../../host/subnet-env.ts'
import { valuesOf } from '../../ip/by-family.ts'
import { counted } from '../../text/counted.ts'
import { type Verdict, absentVerdict, silentVerdict, verdictOf } from '../../view/verdict.ts'
import { type AskedVerb, askedOf } from '../asked.ts'
import { dockerBridge } from '../../view/docker0.ts'
import { type EtcdSeen, type KernelLeft, etcdSeen, kernelLeft } from '../left-behind.ts'
import { statusTold } from '../older-daemon.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld status [-watch] [-json] [OPTION]...

How this host is doing: the verdict, the facts, and for each problem what to run next. Asks the daemon that writes
-subnet-file; where none runs, it shows what the last one left, and with -etcd-endpoints what etcd has.

  -watch  repeat it every 2 seconds until interrupted
  -json   as JSON (docs/json.md)

Exit status: 0 healthy, 1 degraded, 2 broken, 3 not running.
`

/** Milliseconds between two looks of -watch. */
const WATCH_MS = 2000
/** ANSI: to the upper left corner, and clear from there. */
const REDRAW = '\u001B[H\u001B[J'

/** All that is known of this host; what is behind a daemon is asked for only when none answers. */
interface Seen {
  readonly verdict: Verdict
  readonly status: Status | undefined
  readonly file: FoundSubnetEnv | undefined
  readonly left: KernelLeft | undefined
  readonly etcd: EtcdSeen
}

/** Runs it; the exit status. Throws OperatorError. */
export async function status(args: readonly string[], { env, out, screen }: Terminal): Promise<number> {
  const asked = askedOf('status', args, env, { flags: { watch: 'boolean' } })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const show = (seen: Seen): string =>
    asked.json ? `${JSON.stringify(jsonOf(seen))}\n` : renderStatus(seen, Date.now())
  if (!asked.has('watch')) {
    const seen = await look(asked, env)
    out(show(seen))
    return seen.verdict.code
  }
  const stop = newStop()
  process.once('SIGINT', () => {
    stop.abort()
  })
  process.once('SIGTERM', () => {
    stop.abort()
  })
  for (;;) {
    const seen = await look(asked, env)
    out(`${screen && !asked.json ? REDRAW : ''}${show(seen)}`)
    await pause(WATCH_MS, stop.signal)
    if (stop.signal.aborted) return seen.verdict.code
  }
}

async function look(asked: AskedVerb, env: Environment): Promise<Seen> {
  const { subnetFile } = asked.options
  const file = await readSubnetEnv(subnetFile)
  const answer = await askControl(controlPath(subnetFile), 'GET /v1/status').catch(toSilence)
  if (answer instanceof Unanswered) {
    const verdict = silentVerdict(answer.message)
    return { verdict, status: undefined, file, left: await kernelLeft(), etcd: undefined }
  }
  if (answer === undefined) {
    const verdict = absentVerdict(await dockerBridge(file))
    return { verdict, status: undefined, file, left: await kernelLeft(), etcd: await etcdSeen(asked, env, file) }
  }
  const { verdict: given, ...found } = statusTold(answer)
  const verdict = given ?? verdictOf(found, await dockerBridge(file))
  return { verdict, status: found, file, left: undefined, etcd: undefined }
}

function toSilence(error: unknown): Unanswered {
  if (error instanceof Unanswered) return error
  throw error
}

/** What -json prints; docs/json.md. */
function jsonOf({ verdict, status: found, file, left, etcd }: Seen): object {
  return {
    verdict,
    status: found ?? null,
    file: file === undefined ? null : fileOf(file),
    kernel: left ?? null,
    etcd:
      etcd === undefined
        ? null
        : 'error' in etcd
          ? { error: etcd.error, leases: null }
          : { error: null, leases: etcd.view.leases.length },
  }
}

function fileOf(file: FoundSubnetEnv): object {
  const { mtu, ipMasq } = file
  const [network, subnet] = [networkIn(file) ?? null, subnetIn(file) ?? null]
  const [networks, subnets] = [valuesOf(file.networks), valuesOf(file.subnets)]
  return { network, subnet, networks, subnets, mtu: mtu ?? null, ipMasq: ipMasq ?? null }
}

/** The text a person reads. `now` in milliseconds since 1970. Pure. */
export function renderStatus({ verdict, status: found, file, left, etcd }: Seen, now: number): string {
  const head = found === undefined ? `● ${verdict.word}   ${verdict.summary}` : headline(verdict, found, now)
  const facts = found === undefined ? downFacts(file, left, etcd) : factsOf(found, now)
  const width = Math.max(8, ...facts.map(({ label }) => label.length))
  const lines = facts.map(({ label, text }) => `${label.padEnd(width)} ${text}`)
  return [head, ...[...lines, ...reasonLines(verdict)].map((line) => `  ${line}`), '']
    .map((line) => printable(line))
    .join('\n')
}

function downFacts(
  file: FoundSubnetEnv | undefined,
  left: KernelLeft | undefined,
  etcd: EtcdSeen,
): readonly { readonly label: string; readonly text: string }[] {
  const subnets = file === undefined ? [] : valuesOf(file.subnets)
  const lease =
    subnets.length === 0
      ? 'no subnet.env: nothing is leased as far as this host knows'
      : `subnet ${subnets.join(' and ')}, mtu ${file?.mtu ?? 'unknown'}: forwarding is as the last daemon left it`
  const facts = [{ label: 'left', text: lease }]
  if (left !== undefined) {
    const devices = left.devices.length === 0 ? 'no device of flannel' : left.devices.join(', ')
    facts.push({ label: 'kernel', text: `${devices} · ${counted(left.routes, 'route')} to peers` })
  }
  if (etcd !== undefined) facts.push({ label: 'etcd', text: 'error' in etcd ? etcd.error : leased(etcd.view) })
  return facts
}

function leased({ ranges, leases, trouble }: LeaseView): string {
  const own = leases.find((lease) => lease.own)
  const end =
    own === undefined
      ? 'none is ours'
      : own.expiresIn === null
        ? 'ours does not end'
        : `ours ends in ${span(own.expiresIn)}`
  const counts = ranges.map(({ network, used, total }) => `${used} of ${counted(total, 'subnet')} used in ${network}`)
  const used = counts.length === 0 ? trouble : counts.join(', ')
  return `${counted(leases.length, 'lease')}, ${end} · ${used}`
}
