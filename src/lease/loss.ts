// Telling a cluster that lost its data from hosts that left: pure. After a restore or a wipe the leases are gone though
// the hosts live (E5); who re-registers is known again, who left is found out when the time to do so is over.
import type { Change, WatchStep } from '../etcd/store.ts'

/** What gave the loss away, as a phrase for the log. */
export type EtcdLoss = string

/** What we know: our own key, which we keep alive, and the last revision seen. */
export interface LossEvidence {
  readonly ownKey: string
  /** `<prefix>/subnets/` */
  readonly folder: string
  readonly revision: bigint
}

/** Why a step looks like lost data rather than like hosts leaving; undefined when it does not. */
export function lossIn(step: WatchStep, { ownKey, folder, revision }: LossEvidence): EtcdLoss | undefined {
  if (step.type === 'disconnected') return undefined
  if (step.type === 'snapshot') {
    const now = BigInt(step.snapshot.revision)
    if (now < revision) return `its revision went back from ${revision} to ${now}`
    return revision === 0n || step.snapshot.entries.some((entry) => entry.key === ownKey)
      ? undefined
      : `our own lease is not in it`
  }
  // One transaction that takes our lease and others with it is nobody's leaving: `etcdctl del --prefix`, say.
  const own = step.changes.find((change) => change.type === 'delete' && change.key === ownKey)
  if (own?.type !== 'delete') return undefined
  const others = step.changes.some(
    (change) =>
      change.type === 'delete' &&
      change.key !== ownKey &&
      change.key.startsWith(folder) &&
      change.modRevision === own.modRevision,
  )
  return others ? 'our lease and others were deleted at once' : undefined
}

/** The changes that are no deletions. */
export function withoutDeletions(changes: readonly Change[]): readonly Change[] {
  return changes.filter((change) => change.type !== 'delete')
}
