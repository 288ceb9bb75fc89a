// The difference between what is wanted and what is there, as changes to apply: pure.
// Invariant: applying the result to `actual` gives what is wanted plus what is not ours; applying it twice changes nothing.
import type { KernelChange } from './kernel.ts'
import { isChangeable } from './links/drivers.ts'
import { type Domain, owns } from './ownership.ts'
import { BOOT_PROTOCOL, type KernelObject, sameObject, keyOf, sameTarget } from './state.ts'

/** An object that is not ours in the place of one we want. */
export interface ObjectConflict {
  readonly key: string
  readonly wanted: KernelObject
  readonly found: KernelObject
}

/**
 * Compares one kind, object by object, so that plans of any size can be processed in portions. `actual` is used up.
 * `held(object)`: whether we had this object before; then the foreign change damaged ours, and ours is restored.
 */
export class KindComparison {
  readonly conflicts: ObjectConflict[] = []
  readonly #actual: Map<string, KernelObject>
  readonly #domain: Domain
  readonly #held: (wanted: KernelObject) => boolean

  constructor(actual: Map<string, KernelObject>, domain: Domain, held: (wanted: KernelObject) => boolean) {
    this.#actual = actual
    this.#domain = domain
    this.#held = held
  }

  /** What has to be written for a wanted object; undefined when it is there, or when something foreign is in its place. */
  want(object: KernelObject): KernelChange | undefined {
    const key = keyOf(object)
    const found = this.#actual.get(key)
    if (found === undefined) return { verb: 'add', object }
    this.#actual.delete(key)
    if (sameObject(object, found)) return undefined
    if (owns(this.#domain, found) || adoptable(object, found) || this.#held(object)) return rewrite(object, found)
    this.conflicts.push({ key, wanted: object, found })
    return undefined
  }

  /** Deletions of what is ours and not wanted. */
  rest(): readonly KernelChange[] {
    const ours = [...this.#actual.values()].filter((found) => owns(this.#domain, found))
    return ours.map((object) => ({ verb: 'delete', object }))
  }
}

/** Go's flanneld marks nothing as its own: a route by hand or by Go that already leads where ours would is taken over. */
function adoptable(wanted: KernelObject, found: KernelObject): boolean {
  return (
    wanted.kind === 'route' &&
    found.kind === 'route' &&
    found.protocol === BOOT_PROTOCOL &&
    sameTarget(wanted.target, found.target)
  )
}

function rewrite(wanted: KernelObject, found: KernelObject): KernelChange {
  const immutable = wanted.kind === 'link' && found.kind === 'link' && !isChangeable(wanted, found)
  return { verb: immutable ? 'recreate' : 'replace', object: wanted, before: found }
}
