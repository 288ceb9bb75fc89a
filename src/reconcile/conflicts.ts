// The foreign objects in the place of ours: left alone, reported once, forgotten when they are gone.
import type { ObjectConflict } from '../kernel/diff.ts'
import type { KernelObject, Kind } from '../kernel/state.ts'
import type { Report } from './report.ts'

export class Conflicts {
  readonly #byKey = new Map<string, ObjectConflict>()
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  get all(): readonly ObjectConflict[] {
    return [...this.#byKey.values()]
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Takes what a full comparison of a kind found. */
  found(kind: Kind, conflicts: readonly ObjectConflict[]): void {
    const now = new Set(conflicts.map((conflict) => conflict.key))
    for (const [key, conflict] of this.#byKey) {
      if (conflict.wanted.kind !== kind || now.has(key)) continue
      this.#byKey.delete(key)
      this.#report.conflictGone(conflict)
    }
    for (const conflict of conflicts) {
      if (!this.#byKey.has(conflict.key)) this.#report.conflictFound(conflict)
      this.#byKey.set(conflict.key, conflict)
    }
  }

  /** What we believe the kernel has of some peers, with the foreign objects in their true places. */
  within(kind: Kind, held: Map<string, KernelObject>): Map<string, KernelObject> {
    for (const [key, { found }] of this.#byKey) if (found.kind === kind) held.set(key, found)
    return held
  }
}
