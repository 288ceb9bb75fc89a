// How many objects we want of the kernel, by kind and by how they are.
// Invariant: they are counted again only when leases or inputs changed, so that looking often costs nothing at rest.
import { KINDS, type Kind } from '../kernel/state.ts'
import type { RunningDaemon } from './running-daemon.ts'
import type { Plan } from '../overlay/plan.ts'
import type { Session } from '../overlay/session.ts'
import { inPortions } from '../async/chunks.ts'
import { peerObjects } from '../reconcile/intent.ts'
import { Counter } from '../counters.ts'

/** How an object is: as we want it, refused by the kernel, or kept out by one that is not ours. */
export const OBJECT_STATES = ['right', 'refused', 'conflict'] as const
type ObjectState = (typeof OBJECT_STATES)[number]

/** One count. */
export interface ObjectCount {
  readonly kind: Kind
  readonly state: ObjectState
  readonly count: number
}

/** What was counted last for each session, and of what. */
const known = new WeakMap<Session, Counted>()

interface Counted {
  readonly intent: Plan['intent']
  readonly steps: number
  readonly wanted: Counter<Kind>
}

/** Counts what there is to be seen at this moment; undefined before there is a lease. */
export async function countObjects(daemon: RunningDaemon): Promise<readonly ObjectCount[] | undefined> {
  if (daemon.phase !== 'running') return undefined
  const { conflicts, report } = daemon.reconciler
  const wanted = new Counter<Kind>(KINDS)
  for (const session of daemon.sessions)
    for (const [kind, count] of (await wantedBy(session, daemon.leaseStats.steps)).counts)
      wanted.add(kind as Kind, count)
  const wrong = { refused: new Counter(KINDS), conflict: new Counter(KINDS) }
  for (const key of report.refused) wrong.refused.add(key.slice(0, key.indexOf(' ')) as Kind)
  for (const conflict of conflicts) wrong.conflict.add(conflict.wanted.kind)
  return KINDS.flatMap((kind) => {
    const [refused, foreign] = [wrong.refused.counts.get(kind) ?? 0, wrong.conflict.counts.get(kind) ?? 0]
    // A deletion that is refused is no object we want.
    const right = Math.max(0, (wanted.counts.get(kind) ?? 0) - refused - foreign)
    return [
      { kind, state: 'right', count: right },
      { kind, state: 'refused', count: refused },
      { kind, state: 'conflict', count: foreign },
    ] as const
  })
}

async function wantedBy(session: Session, steps: number): Promise<Counter<Kind>> {
  const { intent, objects } = session.plan
  const before = known.get(session)
  if (before?.intent === intent && before.steps === steps) return before.wanted
  const wanted = new Counter<Kind>(KINDS)
  for (const { kind } of objects) wanted.add(kind)
  for await (const portion of inPortions([...session.peers.values()])) {
    for (const peer of portion) {
      const needs = peerObjects(intent, peer)
      if (needs.ok) for (const { kind } of needs.value) wanted.add(kind)
    }
  }
  known.set(session, { intent, steps, wanted })
  return wanted
}
