// How many objects we want of the kernel, by kind and by how they are.
// Invariant: they are counted again only when leases or inputs changed, so that looking often costs nothing at rest.
import { intentOf } from '../overlay/plan.ts'
import { KINDS, type Kind } from '../kernel/state.ts'
import { type RunningDaemon, whenRunning } from './running-daemon.ts'
import type { Overlay } from '../overlay/overlay.ts'
import { inPortions } from '../async/chunks.ts'
import { hostObjects, peerObjects } from '../reconcile/intent.ts'
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

/** What was counted last for each overlay, and of what. */
const known = new WeakMap<Overlay, { readonly of: string; readonly wanted: Counter<Kind> }>()

/** Counts what there is to be seen at this moment; undefined before there is a lease. */
export async function countObjects(daemon: RunningDaemon): Promise<readonly ObjectCount[] | undefined> {
  const overlay = whenRunning(daemon)?.overlay
  if (overlay === undefined) return undefined
  const { conflicts, report } = daemon.reconciler
  const { census } = daemon
  const wanted = await wantedBy(overlay, census.steps)
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

async function wantedBy(overlay: Overlay, steps: number): Promise<Counter<Kind>> {
  const { inputs } = overlay
  const { configuration, others, external, subnet, nexthops } = inputs
  const of = JSON.stringify([steps, configuration.text, others.map((it) => it.config), external, subnet, nexthops])
  const before = known.get(overlay)
  if (before?.of === of) return before.wanted
  const intent = intentOf(inputs)
  const wanted = new Counter<Kind>(KINDS)
  for (const { kind } of hostObjects(intent)) wanted.add(kind)
  for await (const portion of inPortions([...overlay.peers.values()])) {
    for (const peer of portion) {
      const needs = peerObjects(intent, peer)
      if (needs.ok) for (const { kind } of needs.value) wanted.add(kind)
    }
  }
  known.set(overlay, { of, wanted })
  return wanted
}
