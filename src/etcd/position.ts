// Where a watch is in etcd's history, and whether that history is still the one it saw.
// Invariant: a position moves only with complete events received or progress reported; a history that cannot be recognised
// counts as another one. A restored or emptied etcd may have grown past our position with other events than ours.
import type { StoreChange, StoreEntry, Snapshot } from './store.ts'

/** One key as it was at a past revision, with the cluster's id and current revision. */
export interface PastEntry {
  readonly cluster: string
  readonly revision: string
  readonly modRevision: string | undefined
}

/** A look back into etcd's history; undefined when that revision is compacted or does not exist yet. */
export interface PastReader {
  at(key: string, revision: string): Promise<PastEntry | undefined>
}

/** Changes with the revision they lead to; without changes, progress up to that revision. */
export interface Batch {
  readonly revision: string
  readonly changes: readonly StoreChange[]
}

/** Where we are in the history; the witness is the last event seen, by which the history is recognised. */
export interface Position {
  readonly next: bigint
  readonly cluster: string
  readonly witness: { readonly key: string; readonly revision: string; readonly present: boolean } | undefined
}

/** The position right after a listing. */
export function positionOf(snapshot: Snapshot, cluster: string): Position {
  let last: StoreEntry | undefined
  for (const entry of snapshot.entries) {
    if (last === undefined || later(entry.modRevision, last.modRevision)) last = entry
  }
  const witness = last && { key: last.key, revision: last.modRevision, present: true }
  return { next: BigInt(snapshot.revision) + 1n, cluster, witness }
}

/** Whether a decimal revision is greater than another: by their text, since this is asked of every entry of a listing. */
function later(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length
}

/** The position after a batch. */
export function advance(position: Position, batch: Batch): Position {
  const last = batch.changes.at(-1)
  const witness =
    last === undefined
      ? position.witness
      : {
          key: changedKey(last),
          revision: revisionOf(last),
          present: last.type === 'put',
        }
  const next = BigInt(batch.revision) + 1n
  return { next: next > position.next ? next : position.next, cluster: position.cluster, witness }
}

/**
 * Whether etcd's history up to the position is still the one we saw, or `another`; `unknown` when that part of it is
 * compacted, or nothing was seen of it.
 */
export async function recognise(
  source: PastReader,
  { next, cluster, witness }: Position,
): Promise<'same' | 'another' | 'unknown'> {
  if (witness === undefined) return 'unknown'
  const now = await source.at(witness.key, witness.revision)
  if (now === undefined) return 'unknown'
  if (now.cluster !== cluster || BigInt(now.revision) < next - 1n) return 'another'
  if (witness.present) return now.modRevision === witness.revision ? 'same' : 'another'
  if (now.modRevision !== undefined) return 'another'
  const before = await source.at(witness.key, (BigInt(witness.revision) - 1n).toString())
  if (before === undefined) return 'unknown'
  return before.modRevision === undefined ? 'another' : 'same'
}

/** The key of a change. */
export function changedKey(change: StoreChange): string {
  return change.type === 'put' ? change.entry.key : change.key
}

/** The revision of a change. */
export function revisionOf(change: StoreChange): string {
  return change.type === 'put' ? change.entry.modRevision : change.modRevision
}
