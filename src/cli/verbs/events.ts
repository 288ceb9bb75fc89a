// `flanneld events`: what happened on this host since the daemon started, and with -follow what happens now.
import { newStop } from '../../process/stop.ts'
import { askControl, controlPath, followControl } from '../../http/control-socket.ts'
import type { HappenedEvent } from '../../health/events.ts'
import { printable } from '../../text/plain-text.ts'
import { askedOf } from '../asked.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld events [-follow] [-json] [OPTION]...

What happened here since the daemon started, oldest first: repairs of the kernel, conflicts, peers, probes, the lease, the
network config, etcd, the firewall, readiness. A "!" marks what somebody should look at. The last 500 are kept.

  -follow  prints each event as it happens, until interrupted
  -json    one JSON object a line (docs/json.md)

Exit status: 0, or 3 when no daemon answers (any more).
`

/** Runs it; the exit status. Throws OperatorError. */
export async function events(args: readonly string[], { env, out, err }: Terminal): Promise<number> {
  const asked = askedOf('events', args, env, { flags: { follow: 'boolean' } })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  const path = controlPath(asked.options.subnetFile)
  const print = (event: HappenedEvent): void => {
    out(asked.json ? `${JSON.stringify(event)}\n` : `${renderEvent(event)}\n`)
  }
  if (!asked.has('follow')) {
    const kept = (await askControl(path, 'GET /v1/events?follow=false')) as readonly HappenedEvent[] | undefined
    if (kept === undefined) return down(err)
    for (const event of kept) print(event)
    return 0
  }
  const stop = newStop()
  process.once('SIGINT', () => {
    stop.abort()
  })
  process.once('SIGTERM', () => {
    stop.abort()
  })
  const stream = await followControl(path, 'GET /v1/events', stop.signal)
  if (stream === undefined) return down(err)
  for await (const event of stream as AsyncIterableIterator<HappenedEvent>) print(event)
  if (stop.signal.aborted) return 0
  err('the daemon has stopped\n')
  return 3
}

function down(err: (text: string) => void): number {
  err('no daemon answers: events come from a running daemon; its log has the earlier ones\n')
  return 3
}

/** "2026-11-21 09:12:07 ! repair   text", local time. Pure. */
export function renderEvent({ at, kind, bad, text }: HappenedEvent): string {
  return `${stamp(new Date(at))} ${bad ? '!' : ' '} ${kind.padEnd(8)}  ${printable(text)}`
}

function stamp(at: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}
