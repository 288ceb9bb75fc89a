// The kernel as the reconciler sees it: read a kind, apply changes, receive notifications of foreign changes.
// kernel/observe.ts, apply.ts and monitor.ts implement it over netlink; tests of the reconciler use test/fake/kernel.ts.
import type { KernelError } from '../errors.ts'
import type { KernelObject, KernelState, Kind } from './state.ts'

/** One write. `replace` swaps an object of ours in place; `recreate` deletes and adds (what the kernel cannot change). */
export interface KernelChange {
  readonly verb: 'add' | 'replace' | 'delete' | 'recreate'
  readonly object: KernelObject
  /** What `replace` or `recreate` puts it in place of, where that is known. */
  readonly before?: KernelObject
}

/** A change the kernel refused. */
export interface Failure {
  readonly change: KernelChange
  readonly error: KernelError
}

/** What the monitor saw: something of this kind is not as we left it, or (overrun) we cannot know. */
export type Drift =
  { readonly type: 'drift'; readonly kind: Kind; readonly what: string } | { readonly type: 'overrun' }

/** Access to the kernel of one network namespace. */
export interface Kernel {
  /**
   * All objects of a kind that could concern us: every VXLAN device, and every device that has a wanted name; permanent
   * entries and addresses on `devices`; routes of the main table and nexthops. Keys as in keyOf.
   */
  observe(kind: Kind, devices: readonly string[]): Promise<KernelState>
  /**
   * A digest of what `observe` would read, at a fraction of the cost, less what we changed ourselves: while it stays the
   * same, nobody else changed anything, and the kernel has what we wrote. Devices are those of the last observation
   * of links. Undefined where there is none: observe then.
   */
  fingerprint(kind: Kind, devices: readonly string[]): Promise<number | undefined>
  /** Applies changes in the order given, in batches; resolves with those refused. Deleting what is absent is no failure. */
  apply(changes: readonly KernelChange[]): Promise<readonly Failure[]>
}
