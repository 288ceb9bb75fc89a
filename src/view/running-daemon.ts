// The daemon as its views see it: a value for each phase of its life, in one cell. Invariant: a value never changes. A request
// reads the cell once, so that its answer is of one phase.
import type { Conditions } from '../health/conditions.ts'
import { Health } from './health.ts'
import { Supervisor } from '../health/supervise.ts'
import type { Helpers } from '../helpers/supervision.ts'
import type { Events } from '../health/events.ts'
import type { Guard } from '../firewall/nftables/guard.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Store } from '../etcd/store.ts'
import { LeaseStats } from '../lease/stats.ts'
import { EtcdTally } from '../etcd/tally.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import type { Session } from '../overlay/session.ts'
import type { Sessions } from '../overlay/sessions.ts'
import type { Prober } from '../probe/prober.ts'
import type { Readiness } from '../health/readiness.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import type { Host } from '../host/host-id.ts'

/** What there is in every phase. */
export interface DaemonBase {
  readonly version: string
  /** When it started; milliseconds since 1970. */
  readonly since: number
  readonly options: Options
  readonly readiness: Readiness
  readonly reconciler: Reconciler
  readonly events: Events
  /** Standing conditions of this host. */
  readonly conditions: Conditions
  /** The verdict over this host, and why. */
  readonly health: Health
  /** Faults of the parts that only observe. */
  readonly supervisor: Supervisor
  /** How etcd answers: counts of its calls, whether the watch is alive and at which revision. */
  readonly etcd: EtcdTally
  /** The leases in numbers. */
  readonly leaseStats: LeaseStats
}

/** This host is being read. */
export interface Starting extends DaemonBase {
  readonly phase: 'starting'
}

/** This host is known; the network config and a lease are awaited from etcd. */
interface Joining extends DaemonBase {
  readonly phase: 'joining'
  readonly host: Host
  readonly store: Store
}

/** There is a lease, and the kernel follows it. */
export interface Running extends DaemonBase {
  readonly phase: 'running'
  readonly store: Store
  /** The networks of this host. */
  readonly sessions: Sessions
  readonly guard: Guard
  readonly firewall: Firewall
  readonly helpers: Helpers
  readonly prober: Prober
}

export type RunningDaemon = Starting | Joining | Running

/** Reads the daemon as it is at this moment. */
export type CurrentDaemon = () => RunningDaemon

/** The cell. */
export class DaemonCell {
  #now: RunningDaemon

  constructor(first: Starting) {
    this.#now = first
  }

  readonly current: CurrentDaemon = () => this.#now

  /** The next phase, or this one with other values. */
  enter(next: RunningDaemon): void {
    this.#now = next
  }
}

/** The first phase. */
export function startingDaemon(
  known: Pick<DaemonBase, 'version' | 'options' | 'readiness' | 'reconciler' | 'events' | 'conditions'>,
  log: Log,
): Starting {
  const { readiness, events, conditions } = known
  const supervisor = new Supervisor(conditions, log)
  events.onFault(supervisor.part('events').failed)
  readiness.onChange((ready) => {
    events.happened('ready', ready ? 'ready' : `not ready: ${readiness.reasons.join('; ')}`, { bad: !ready })
  })
  const health = new Health({ readiness, conditions, endpoints: known.options.etcdEndpoints })
  health.onChange(({ verdict: { word, summary } }, before) => {
    if (word !== before.verdict.word) events.happened('verdict', `${word}: ${summary}`, { bad: word !== 'healthy' })
  })
  return {
    ...known,
    phase: 'starting',
    health,
    supervisor,
    since: Date.now(),
    etcd: new EtcdTally(),
    leaseStats: new LeaseStats(),
  }
}

/** The daemon where it runs; undefined in the phases before. */
export function whenRunning(daemon: RunningDaemon): Running | undefined {
  return daemon.phase === 'running' ? daemon : undefined
}

/** The session of the network that the flags name: what has room for one network shows this one. */
export function primarySession({ sessions }: Pick<Running, 'sessions'>): Session {
  return sessions[0]
}

/** The store where it is open. */
export function storeIn(daemon: RunningDaemon): Store | undefined {
  return daemon.phase === 'starting' ? undefined : daemon.store
}
