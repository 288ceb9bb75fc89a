// What a step of the watch on the prefix says of its parts: the network config and the leases. Pure.
import type { Change, Entry, WatchStep } from '../etcd/store.ts'

/** The config text in a step: null when it was deleted, undefined when the step says nothing of it. */
export function configIn(step: Exclude<WatchStep, { type: 'disconnected' }>, key: string): string | null | undefined {
  if (step.type === 'snapshot')
    return step.snapshot.entries.find((entry) => entry.key === key)?.value.toString() ?? null
  const last = step.changes.findLast((change) => (change.type === 'put' ? change.entry.key : change.key) === key)
  return last && (last.type === 'put' ? last.entry.value.toString() : null)
}

/** The leases of a listing. */
export function leasesIn(entries: readonly Entry[], folder: string): readonly Entry[] {
  return entries.filter((entry) => entry.key.startsWith(folder))
}

/** The changes of leases. */
export function leasesOf(changes: readonly Change[], folder: string): readonly Change[] {
  return changes.filter((change) => (change.type === 'put' ? change.entry.key : change.key).startsWith(folder))
}
