// What a session is created with: the host it changes, the lease it keeps, the devices found at the start.
import type { AnyBackend } from '../backend.ts'
import type { Arrival } from '../firewall/nftables/arrival.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Guard } from '../firewall/nftables/guard.ts'
import type { Helpers } from '../helpers/supervision.ts'
import type { Readiness } from '../health/readiness.ts'
import type { Mac } from '../ip/mac.ts'
import type { PeerSession } from '../kernel/peer-session.ts'
import type { KeptLease } from '../lease/keep.ts'
import type { Log } from '../log.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'

/** What a session is created with. */
export interface SessionParts {
  /** The parts of this host that it changes. */
  readonly host: SessionHost
  /** The lease to keep. */
  readonly lease: Omit<KeptLease, 'claim' | 'events'>
  readonly found: FoundKernel
  readonly backends: readonly AnyBackend[]
  readonly readiness: Readiness
  readonly log: Log
}

/** The parts of a host that a session changes. */
export interface SessionHost {
  readonly reconciler: Reconciler
  readonly firewall: Firewall
  readonly guard: Guard
  readonly helpers: Helpers
  /** Whether this session is there (Backend.sessionOf). */
  readonly isConnected: (session: PeerSession) => Promise<boolean>
}

/** The kernel as found at the start: its features and the devices of earlier runs. */
interface FoundKernel {
  readonly nexthopsKnown: boolean
  /** MACs of devices of earlier runs, by name. */
  readonly macs: ReadonlyMap<string, Mac>
  /** Names of those that are ours to remove. */
  readonly names: readonly string[]
  /** How packets arrive at them. */
  readonly standing: readonly Arrival[]
}
