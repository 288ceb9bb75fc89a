// How many objects we want of the kernel, by kind and by how they are. Pure, but for the turns it leaves to others.
import type { Peer } from '../backend.ts'
import { KINDS, type Kind } from '../kernel/state.ts'
import { inPortions } from '../portions.ts'
import { type Intent, hostObjects, peerObjects } from '../reconcile/intent.ts'
import { Counter } from './tally.ts'

/** How an object is: as we want it, refused by the kernel, or kept out by one that is not ours. */
export const OBJECT_STATES = ['right', 'refused', 'conflict'] as const
type ObjectState = (typeof OBJECT_STATES)[number]

/** One count. */
export interface ObjectCount {
  readonly kind: Kind
  readonly state: ObjectState
  readonly count: number
}

/** Counts what an intent and the peers want; `refused` are keys, `conflicts` kinds of objects that are not right. */
export async function countObjects(
  intent: Intent,
  peers: Iterable<Peer>,
  refused: Iterable<string>,
  conflicts: Iterable<Kind>,
): Promise<readonly ObjectCount[]> {
  const wanted = new Counter<Kind>(KINDS)
  for (const { kind } of hostObjects(intent)) wanted.add(kind)
  for await (const portion of inPortions([...peers])) {
    for (const peer of portion) {
      const needs = peerObjects(intent, peer)
      if (needs.ok) for (const { kind } of needs.value) wanted.add(kind)
    }
  }
  const wrong = { refused: new Counter(KINDS), conflict: new Counter(KINDS) }
  for (const key of refused) wrong.refused.add(key.slice(0, key.indexOf(' ')) as Kind)
  for (const kind of conflicts) wrong.conflict.add(kind)
  return KINDS.flatMap((kind) => {
    const [refusals, foreign] = [wrong.refused.counts.get(kind) ?? 0, wrong.conflict.counts.get(kind) ?? 0]
    // A deletion that is refused is no object we want.
    const right = Math.max(0, (wanted.counts.get(kind) ?? 0) - refusals - foreign)
    return [
      { kind, state: 'right', count: right },
      { kind, state: 'refused', count: refusals },
      { kind, state: 'conflict', count: foreign },
    ] as const
  })
}
