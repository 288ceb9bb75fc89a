// The operator's side of a running daemon: what may be seen of it, and the routes by which it is asked.
import type { Events } from './events.ts'
import type { Guard } from './firewall/guard.ts'
import type { Firewall } from './firewall/firewall.ts'
import type { Store } from './etcd/store.ts'
import type { Routes } from './http.ts'
import type { LeaseKeeper } from './lease/keep.ts'
import type { Options } from './options/type.ts'
import type { Overlay } from './overlay.ts'
import type { Readiness } from './readiness.ts'
import type { Reconciler } from './reconcile/reconciler.ts'
import { statusOf } from './status.ts'

/** What can be seen of the daemon; what comes later in the start is undefined until then. */
export interface Sight {
  readonly version: string
  /** When it started; milliseconds since 1970. */
  readonly since: number
  readonly options: Options
  readonly readiness: Readiness
  readonly reconciler: Reconciler
  readonly events: Events
  store: Store | undefined
  keeper: LeaseKeeper | undefined
  overlay: Overlay | undefined
  guard: Guard | undefined
  firewall: Firewall | undefined
}

/** The routes of the control socket. */
export function controlRoutes(sight: Sight): Routes {
  return new Map([['GET /v1/status', () => ({ status: 200, json: statusOf(sight) })]])
}
