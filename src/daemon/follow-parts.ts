// What following etcd works with.
import type { AnyBackend, ExternalInterface } from '../backend.ts'
import type { Conditions } from '../health/conditions.ts'
import type { Configuration } from '../network-config/configuration.ts'
import type { EventSink } from '../health/events.ts'
import type { Snapshot, Store } from '../etcd/store.ts'
import type { LeaseStats } from '../lease/stats.ts'
import type { SomeFamily } from '../ip/by-family.ts'
import type { Log } from '../log.ts'
import type { Options } from '../options/type.ts'
import type { Session } from '../overlay/session.ts'
import type { Readiness } from '../health/readiness.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'

/** What following works with. */
export interface FollowParts {
  readonly store: Store
  /** A listing of all under the prefix to begin with, once; read again when empty. */
  readonly listing?: Snapshot[]
  readonly options: Options
  readonly backends: readonly AnyBackend[]
  readonly session: Session
  readonly reconciler: Reconciler
  readonly readiness: Readiness
  /** Counts the leases. */
  readonly leaseStats: Pick<LeaseStats, 'take'>
  readonly conditions: Conditions
  readonly events: EventSink
  /** The interfaces this host would run another config on, or why it cannot run it. */
  readonly admits: (next: Configuration) => Promise<SomeFamily<ExternalInterface> | string>
  readonly log: Log
  readonly signal: AbortSignal
  /** How long peers missing after etcd lost its data have to register again. Milliseconds; five minutes when absent. */
  readonly holdMs?: number | undefined
}
