// sd_notify(3): reports to systemd that we are ready, alive or stopping, by datagrams to the socket it names in NOTIFY_SOCKET.
// Without that variable nothing is sent.
import { type PassTime, HANG_MS } from '../http/health-port.ts'
import { addon } from '../netlink/addon.ts'
import type { SupervisedPart } from '../health/supervise.ts'
import { printable } from '../text/plain-text.ts'
import type { Health, HealthReport } from '../view/health.ts'
import type { Readiness } from '../health/readiness.ts'

/** Sends one state, such as `READY=1`; false when there was no receiver. */
type Notify = (state: string) => boolean

/** The notifier for this environment, and how often the watchdog expects a keepalive (milliseconds, undefined: never). */
function systemdNotifier(env: Readonly<Record<string, string | undefined>>): {
  readonly notify: Notify
  readonly watchdogMs: number | undefined
} {
  const path = env['NOTIFY_SOCKET']
  const micros = Number(env['WATCHDOG_USEC'] ?? 0)
  const forUs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid)
  return {
    notify: (state) => path !== undefined && path !== '' && addon().sendUnix(path, Buffer.from(`${state}\n`)) >= 0,
    // Twice as often as asked, as sd_watchdog_enabled(3) advises.
    watchdogMs: forUs && micros > 0 ? micros / 2000 : undefined,
  }
}

/** What is reported. */
interface Reported {
  readonly readiness: Readiness
  readonly health: Health
  readonly busy: PassTime
}

/** Reports readiness, the verdict, and life as long as no pass hangs, until the signal aborts. */
export function notifySystemd(
  { readiness, health, busy }: Reported,
  part: Pick<SupervisedPart, 'guard'>,
  signal: AbortSignal,
): void {
  const { notify, watchdogMs } = systemdNotifier(process.env)
  let last = ''
  const notifyState = part.guard(() => {
    const text = `${readiness.ready ? 'READY=1\n' : ''}STATUS=${statusLine(health.latest)}`
    if (text !== last) notify(text)
    last = text
  })
  notifyState()
  health.onChange(notifyState)
  signal.addEventListener(
    'abort',
    part.guard(() => notify('STOPPING=1')),
  )
  if (watchdogMs === undefined) return
  setInterval(
    part.guard(() => busy() < HANG_MS && notify('WATCHDOG=1')),
    watchdogMs,
  ).unref()
}

/** The most characters of a status line: `systemctl status` shows it on one. */
const MOST = 500

/** The verdict in a line: `healthy`, or the word and why. */
function statusLine({ verdict: { word }, lines }: HealthReport): string {
  return printable(lines.length === 0 ? word : `${word}: ${lines.join('; ')}`, MOST)
}
