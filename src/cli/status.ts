// `flanneld status`: how this host is doing, verdict first. Asks the running daemon; when none answers, subnet.env and the
// kernel tell what is left. Exit status: 0 whole, 1 degraded, 2 broken, 3 not running.
import { askControl, controlPath } from '../control.ts'
import { staleBridge } from '../docker-bridge.ts'
import { LiveKernel } from '../kernel/live.ts'
import { type Environment, parseOptions } from '../options.ts'
import { type Status, type Verdict, verdictOf } from '../status.ts'
import { type FoundSubnetEnv, readSubnetEnv } from '../subnet-env.ts'
import { OperatorError } from '../errors.ts'

/** Runs it; the exit status. Throws OperatorError. */
export async function status(args: readonly string[], env: Environment, out: (text: string) => void): Promise<number> {
  const flags = args.filter((arg) => !/^--?json$/.test(arg))
  const asked = parseOptions(flags, env)
  if (asked.kind === 'help') {
    out('Usage: flanneld status [-json] [-subnet-file FILE]\n')
    return 0
  }
  if (asked.kind !== 'run') throw new OperatorError('status: takes -json and the flags of the daemon')
  const { subnetFile } = asked.options
  const found = await readSubnetEnv(subnetFile)
  // The socket is the daemon's own, of this very version or one that says which it is.
  const running = (await askControl(controlPath(subnetFile), 'GET /v1/status')) as Status | undefined
  const docker = await dockerBridge(found)
  const verdict = verdictOf(running, docker)
  if (flags.length < args.length) out(`${JSON.stringify({ verdict, status: running ?? null, file: found ?? null })}\n`)
  else out(render(verdict, running, found, Date.now()))
  return verdict.code
}

async function dockerBridge(found: FoundSubnetEnv | undefined): Promise<string | undefined> {
  const { network, subnet, mtu } = found ?? {}
  if (network === undefined || subnet === undefined || mtu === undefined) return undefined
  const kernel = new LiveKernel()
  try {
    return staleBridge(await kernel.readHost(), { subnet, mtu }, [network])
  } finally {
    kernel.close()
  }
}

/** The text a person reads. `now` in milliseconds since 1970. Pure. */
export function render(
  { word, reasons }: Verdict,
  running: Status | undefined,
  found: FoundSubnetEnv | undefined,
  now: number,
): string {
  const lines: string[] = []
  if (running === undefined) {
    lines.push(word, `  left     ${left(found)}`)
  } else {
    const { kernel, peers, network, subnet, backend, mtu, version } = running
    const audited = kernel.audited === 0 ? 'not yet' : `${ago(now - kernel.audited)} ago`
    lines.push(
      `${word}   ${running.interface} ${running.address} · up ${ago(now - running.since)} · flanneld ${version}`,
      `  subnet   ${subnet}   network ${network}   mtu ${mtu}`,
      `  peers    ${peers} by ${backend}`,
      `  kernel   ${kernel.failing} changes refused · ${kernel.repairs} repairs since the start · last audit ${audited}`,
    )
  }
  for (const reason of reasons) lines.push(`  → ${reason}`)
  return `${lines.join('\n')}\n`
}

function left(found: FoundSubnetEnv | undefined): string {
  if (found?.subnet === undefined) return 'no subnet.env: nothing is leased as far as this host knows'
  return `subnet ${found.subnet}, mtu ${found.mtu ?? 'unknown'}: forwarding is as the last daemon left it`
}

/** "3d 4h", "12m", "4s". */
function ago(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const units = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['m', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ] as const
  const first = units.findIndex(([, n]) => n > 0)
  if (first < 0) return '0s'
  const shown = units.slice(first, first === 0 ? 2 : first + 1).filter(([, n]) => n > 0)
  return shown.map(([unit, n]) => `${n}${unit}`).join(' ')
}
