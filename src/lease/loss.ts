// Distinguishes an etcd that lost its data from hosts that left and from an operator who deleted leases. Pure. After a restore or a
// wipe the leases are gone though the hosts live. Deletions are ordinary changes that every host sees at once: who lives
// registers again within moments. So the history decides: its revision went back, or it is not the history that we saw.
import type { StoreChange, WatchStep } from '../etcd/store.ts'

/** What happened to the leases. */
export interface EtcdLoss {
  /** `data`: etcd came back without them, so that hosts find out one by one. `leases`: they were deleted. */
  readonly of: 'data' | 'leases'
  /** What gave it away, as a phrase for the log. */
  readonly why: string
}

/** What we know: our own key, which we keep alive, and the last revision seen. */
export interface LossEvidence {
  readonly ownKey: string
  /** `<prefix>/subnets/` */
  readonly folder: string
  readonly revision: bigint
  /** Whether our own lease has run out by our own clock: etcd was out of reach for that long, for others as well maybe. */
  readonly ranOut: boolean
}

/** Why a step looks like lost data or deleted leases rather than like hosts leaving; undefined when it does not. */
export function lossIn(step: WatchStep, { ownKey, folder, revision, ranOut }: LossEvidence): EtcdLoss | undefined {
  if (step.type === 'disconnected') return undefined
  if (step.type === 'snapshot') {
    const { revision: read, entries, history } = step.snapshot
    const now = BigInt(read)
    if (now < revision) return { of: 'data', why: `its revision went back from ${revision} to ${now}` }
    if (history === 'another') return { of: 'data', why: 'its history is another than before' }
    if (revision === 0n || entries.some((entry) => entry.key === ownKey)) return undefined
    return ranOut
      ? { of: 'data', why: 'our own lease ran out while it was out of reach' }
      : { of: 'leases', why: 'our own lease is not in it' }
  }
  // A transaction that deletes our lease together with others is no host leaving: `etcdctl del --prefix`, for example.
  const own = step.changes.find((change) => change.type === 'delete' && change.key === ownKey)
  if (own?.type !== 'delete') return undefined
  const others = step.changes.some(
    (change) =>
      change.type === 'delete' &&
      change.key !== ownKey &&
      change.key.startsWith(folder) &&
      change.modRevision === own.modRevision,
  )
  return others ? { of: 'leases', why: 'our lease and others were deleted at once' } : undefined
}

/** The changes that are no deletions. */
export function withoutDeletions(changes: readonly StoreChange[]): readonly StoreChange[] {
  return changes.filter((change) => change.type !== 'delete')
}
