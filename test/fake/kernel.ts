// A kernel in memory for tests of the reconciler: keeps objects by key, refuses on demand, and drops
// what hangs on a device when the device goes, as the real one does.
import { createHash } from 'node:crypto'
import { KernelError } from '../../src/errors.ts'
import type { KernelChange, Failure, Kernel } from '../../src/kernel/kernel.ts'
import { type KernelObject, type KernelState, type Kind, keyOf } from '../../src/kernel/state.ts'

export class FakeKernel implements Kernel {
  readonly objects = new Map<string, KernelObject>()
  /** Every change applied, as "verb key". */
  readonly written: string[] = []
  /** How often each kind was read. */
  readonly reads: Kind[] = []
  /** Keys whose changes are refused, with the errno's name. */
  readonly refuse = new Map<string, string>()
  readonly #digests: boolean
  /** What we changed ourselves, by kind. */
  readonly #own = new Map<Kind, number>()

  /** With `digests` it has fingerprints too. */
  constructor(digests = false) {
    this.#digests = digests
  }

  put(...objects: readonly KernelObject[]): void {
    for (const object of objects) this.objects.set(keyOf(object), object)
  }

  has(key: string): boolean {
    return this.objects.has(key)
  }

  observe(kind: Kind): Promise<KernelState> {
    this.reads.push(kind)
    return Promise.resolve(new Map([...this.objects].filter(([, object]) => object.kind === kind)))
  }

  fingerprint(kind: Kind): Promise<number | undefined> {
    if (!this.#digests) return Promise.resolve(undefined)
    const there = [...this.objects.values()].filter((object) => object.kind === kind)
    return Promise.resolve(there.reduce((sum, object) => sum + weightOf(object), 0) - (this.#own.get(kind) ?? 0))
  }

  apply(changes: readonly KernelChange[]): Promise<readonly Failure[]> {
    const failures: Failure[] = []
    for (const change of changes) {
      const key = keyOf(change.object)
      const code = this.refuse.get(key)
      if (code !== undefined) {
        failures.push({ change, error: new KernelError(change.verb, 1, code) })
        continue
      }
      this.written.push(`${change.verb} ${key}`)
      const { kind } = change.object
      const before = change.verb === 'delete' ? change.object : change.before
      const came = change.verb === 'delete' ? 0 : weightOf(change.object)
      this.#own.set(kind, (this.#own.get(kind) ?? 0) + came - (before === undefined ? 0 : weightOf(before)))
      if (change.verb === 'delete' || change.verb === 'recreate') this.#remove(change.object)
      if (change.verb !== 'delete') this.objects.set(key, change.object)
    }
    return Promise.resolve(failures)
  }

  #remove(object: KernelObject): void {
    this.objects.delete(keyOf(object))
    if (object.kind !== 'link') return
    for (const [key, other] of this.objects) if (deviceOf(other) === object.name) this.objects.delete(key)
  }
}

/** 32 bits of what an object is. */
function weightOf(object: KernelObject): number {
  return createHash('sha256').update(JSON.stringify(object)).digest().readUInt32LE()
}

function deviceOf(object: KernelObject): string | undefined {
  if (object.kind === 'link' || object.kind === 'policy') return undefined
  if (object.kind !== 'route') return object.device
  return 'device' in object.target ? object.target.device : undefined
}
