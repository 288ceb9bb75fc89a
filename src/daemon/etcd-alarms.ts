// Asks etcd now and then whether it has an alarm raised, and keeps what it says as a condition of this host: leases go on
// being renewed under NOSPACE, so that it would go unnoticed until the next host fails to join.
// Invariant: nothing here ends the daemon, and an etcd that does not answer changes nothing: other parts report that.
import type { Conditions } from '../health/conditions.ts'
import { type Alarm, textOf } from '../etcd/alarms.ts'
import type { Store } from '../etcd/store.ts'
import { hasAborted, pause } from '../async/wait.ts'
import type { Log } from '../log.ts'

/** How often it is asked; the member asked answers from memory. Milliseconds. */
const EVERY_MS = 15_000

const CODE = 'etcd-alarm'

/** Where alarms are reported. */
interface AlarmReport {
  readonly conditions: Conditions
  readonly log: Log
}

/** Asks until the signal aborts; `endpoints` are named in the report. */
export async function watchAlarms(
  store: Pick<Store, 'alarms'>,
  endpoints: readonly string[],
  { signal, ...report }: AlarmReport & { readonly signal: AbortSignal },
  every = EVERY_MS,
): Promise<void> {
  while (!signal.aborted) {
    const alarms = await store.alarms().catch(() => undefined)
    if (alarms !== undefined && !hasAborted(signal)) reportAlarms(alarms, endpoints, report)
    await pause(every, signal)
  }
}

function reportAlarms(
  [first, ...others]: readonly Alarm[],
  endpoints: readonly string[],
  { conditions, log }: AlarmReport,
): void {
  if (first === undefined) {
    if (conditions.clear(CODE)) log.info('etcd has no alarm any more')
    return
  }
  const said = textOf([first, ...others], endpoints)
  if (conditions.set(CODE, { level: 'fault', ...said })) log.error(`${said.text}: ${said.run}`)
}
