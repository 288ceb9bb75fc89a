// A kernel in memory for tests of the reconciler: keeps objects by key, refuses what it is told to refuse, and drops
// what hangs on a device when the device goes, as the real one does.
import { KernelError } from '../../src/errors.ts'
import type { Change, Failure, Kernel } from '../../src/kernel/kernel.ts'
import { type KernelObject, type KernelState, type Kind, keyOf } from '../../src/kernel/state.ts'

export class FakeKernel implements Kernel {
  readonly objects = new Map<string, KernelObject>()
  /** Every change applied, as "verb key". */
  readonly written: string[] = []
  /** How often each kind was read. */
  readonly reads: Kind[] = []
  /** Keys whose changes are refused, with the errno's name. */
  readonly refuse = new Map<string, string>()

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

  fingerprint(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  apply(changes: readonly Change[]): Promise<readonly Failure[]> {
    const failures: Failure[] = []
    for (const change of changes) {
      const key = keyOf(change.object)
      const code = this.refuse.get(key)
      if (code !== undefined) {
        failures.push({ change, error: new KernelError(change.verb, 1, code) })
        continue
      }
      this.written.push(`${change.verb} ${key}`)
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

function deviceOf(object: KernelObject): string | undefined {
  if (object.kind === 'link') return undefined
  if (object.kind !== 'route') return object.device
  return 'device' in object.target ? object.target.device : undefined
}
