// Splits a step of the watch on the prefix into its parts: the network config and the leases. Pure.
import { changedKey } from '../etcd/position.ts'
import type { StoreChange, StoreEntry, WatchStep } from '../etcd/store.ts'

/** The config text in a step: null when it was deleted, undefined when the step does not change it. */
export function configIn(step: Exclude<WatchStep, { type: 'disconnected' }>, key: string): string | null | undefined {
  if (step.type === 'snapshot')
    return step.snapshot.entries.find((entry) => entry.key === key)?.value.toString() ?? null
  const last = step.changes.findLast((change) => changedKey(change) === key)
  return last && (last.type === 'put' ? last.entry.value.toString() : null)
}

/** The leases of a listing. */
export function leasesIn(entries: readonly StoreEntry[], folder: string): readonly StoreEntry[] {
  return entries.filter((entry) => entry.key.startsWith(folder))
}

/** The changes of leases. */
export function leaseChanges(changes: readonly StoreChange[], folder: string): readonly StoreChange[] {
  return changes.filter((change) => changedKey(change).startsWith(folder))
}
