// What can be seen of the daemon while it starts and runs: what the control socket, the health port, page and metrics look at.
import { Conditions } from '../health/conditions.ts'
import { Supervisor } from '../health/supervise.ts'
import type { Events } from '../health/events.ts'
import type { Guard } from '../firewall/guard.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Store } from '../etcd/store.ts'
import { LeaseCensus } from '../lease/census.ts'
import type { LeaseKeeper } from '../lease/keep.ts'
import { EtcdTally } from '../etcd/tally.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import type { Overlay } from '../overlay/overlay.ts'
import type { Prober } from '../probe/prober.ts'
import type { Readiness } from '../health/readiness.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import type { Host } from '../host/host-id.ts'

/** What can be seen of the daemon; what comes later in the start is undefined until then. */
export interface RunningDaemon {
  readonly version: string
  /** When it started; milliseconds since 1970. */
  readonly since: number
  readonly options: Options
  readonly readiness: Readiness
  readonly reconciler: Reconciler
  readonly events: Events
  /** What holds of this host until it is over. */
  readonly conditions: Conditions
  /** What goes wrong in the parts that only look on. */
  readonly supervisor: Supervisor
  /** How etcd answers: counts of its calls, whether the watch is alive and how far it has come. */
  readonly etcd: EtcdTally
  /** The leases in numbers. */
  readonly census: LeaseCensus
  /** This host as found at the start. */
  host: Host | undefined
  store: Store | undefined
  keeper: LeaseKeeper | undefined
  /** When our lease was last renewed and when it ends without another renewal; undefined: not told, or never. */
  renewal: { readonly at: number; readonly expires: number | undefined } | undefined
  overlay: Overlay | undefined
  guard: Guard | undefined
  firewall: Firewall | undefined
  prober: Prober | undefined
}

/** What can be seen at the very start. */
export function firstSight(
  known: Pick<RunningDaemon, 'version' | 'options' | 'readiness' | 'reconciler' | 'events'>,
  log: Log,
): RunningDaemon {
  const { readiness, events } = known
  const conditions = new Conditions()
  const supervisor = new Supervisor(conditions, log)
  events.onFault(supervisor.part('events').failed)
  readiness.onChange((ready) => {
    events.happened('ready', ready ? 'ready' : `not ready: ${readiness.reasons.join('; ')}`, { bad: !ready })
  })
  return {
    ...known,
    ...{ conditions, supervisor },
    ...{ since: Date.now(), etcd: new EtcdTally(), census: new LeaseCensus(), host: undefined, store: undefined },
    ...{ keeper: undefined, renewal: undefined, overlay: undefined, guard: undefined, firewall: undefined },
    prober: undefined,
  }
}
