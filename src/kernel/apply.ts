// Writing to the kernel: changes in the order given, many in one send, each with a result of its own.
// Invariant: 'add' overwrites nothing that another program set; 'delete' names all that is known of an object; deleting what is
// absent is success.
import { KernelError } from '../errors.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { ERRNO, type Refusal, kernelError } from '../netlink/errno.ts'
import type { Encode } from '../netlink/message.ts'
import type { WriteMode } from '../netlink/neighbor.ts'
import { applyLink } from './apply-link.ts'
import type { Devices } from './devices.ts'
import { type SingleMessageObject, encodeEntry, saysAbsent } from './encode.ts'
import type { OwnWeight } from './fingerprint.ts'
import { gatewayReach } from './gateway-reach.ts'
import type { KernelChange, Failure } from './kernel.ts'
import { observe } from './observe.ts'
import type { OwnWrites } from './own-writes.ts'
import { type XfrmConnection, hasNoXfrm } from './policies.ts'
import { keyOf } from './state.ts'

/** A change of anything but a device. */
interface EntryChange extends KernelChange {
  readonly object: SingleMessageObject
}

/** One message of a batch. */
interface Step {
  readonly change: EntryChange
  readonly write: WriteMode
  readonly encode: Encode
  /** What it adds to its kind (fingerprint.ts), known once it is encoded. */
  weight: number
}

const NO_DEVICE: Refusal = { errno: ERRNO.ENODEV, detail: 'no such device' }

/** Where messages go: policies have a protocol of their own. */
interface Connections {
  readonly route: NetlinkConnection
  readonly xfrm: Pick<XfrmConnection, 'open'>
}

const NO_XFRM: Refusal = {
  errno: ERRNO.EPROTONOSUPPORT,
  detail: 'this kernel has no IPsec: load the module with modprobe xfrm_user, or set Backend.Type to vxlan',
}

/** Applies changes. */
export class KernelWriter {
  readonly #connection: NetlinkConnection
  readonly #xfrm: Connections['xfrm']
  readonly #devices: Devices
  readonly #ownWrites: OwnWrites
  readonly #ownWeight: OwnWeight
  readonly #indexOf = (name: string): number | undefined => this.#devices.indexOf(name)

  constructor({ route, xfrm }: Connections, devices: Devices, ownWrites: OwnWrites, ownWeight: OwnWeight) {
    this.#connection = route
    this.#xfrm = xfrm
    this.#devices = devices
    this.#ownWrites = ownWrites
    this.#ownWeight = ownWeight
  }

  /** As Kernel.apply says. Throws KernelError only when the socket itself fails. */
  async apply(changes: readonly KernelChange[]): Promise<readonly Failure[]> {
    const failures: Failure[] = []
    let entries: EntryChange[] = []
    for (const change of changes) {
      const { object } = change
      if (object.kind !== 'link') {
        const [first] = entries
        if (first !== undefined && (first.object.kind === 'policy') !== (object.kind === 'policy')) {
          failures.push(...(await this.#applyEntries(entries)))
          entries = []
        }
        entries.push({ ...change, object })
        continue
      }
      // A device that is made or deleted changes what the entries after it mean.
      failures.push(...(await this.#applyEntries(entries)))
      entries = []
      this.#ownWrites.expect(change.verb === 'delete' ? 'delete' : 'replace', object)
      try {
        await applyLink(this.#connection, this.#devices, change.verb, object)
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        failures.push({ change, error })
      } finally {
        this.#ownWrites.settle()
      }
    }
    failures.push(...(await this.#applyEntries(entries)))
    return failures
  }

  /** All of them go over one connection. A second try is for changes that met an outdated device number, or an entry that no program set. */
  async #applyEntries(changes: readonly EntryChange[]): Promise<readonly Failure[]> {
    if (changes.length === 0) return []
    const first = await this.#send(changes)
    if (first.size === 0) return []
    const lost = [...first].flatMap(([{ object }, { errno }]) => (errno === ERRNO.ENODEV ? devicesOf(object) : []))
    if (lost.length > 0) await this.#devices.refresh(new Set(lost))
    const again = [...(await this.#worthAnotherTry(first)), ...[...first].flatMap(byReach)]
    const second = again.length === 0 ? new Map<EntryChange, Refusal>() : await this.#send(again)
    const retried = new Set(again.map(({ object }) => object))
    const failures = [...second, ...[...first].filter(([change]) => !retried.has(change.object))]
    return failures.map(([change, refusal]) => ({ change, error: kernelError('rtnetlink', refusal) }))
  }

  async #worthAnotherTry(refused: ReadonlyMap<EntryChange, Refusal>): Promise<readonly EntryChange[]> {
    const again: EntryChange[] = []
    const permanent = new Map<string, ReadonlySet<string>>()
    for (const [change, { errno }] of refused) {
      const { verb, object } = change
      if (errno === ERRNO.ENODEV) again.push(change)
      if (errno !== ERRNO.EEXIST || verb !== 'add' || (object.kind !== 'neighbor' && object.kind !== 'fdb')) continue
      // What was learned or is being resolved is replaced; what a program set is not.
      const table = `${object.kind} ${object.device}`
      let keys = permanent.get(table)
      if (keys === undefined) {
        const state = await observe(this.#connection, this.#devices, object.kind, [object.device])
        permanent.set(table, (keys = new Set(state.keys())))
      }
      if (!keys.has(keyOf(object))) again.push({ verb: 'replace', object })
    }
    return again
  }

  async #send(changes: readonly EntryChange[]): Promise<Map<EntryChange, Refusal>> {
    const refused = new Map<EntryChange, Refusal>()
    const connection = this.#connectionFor(changes)
    if (connection === undefined) return new Map(changes.map((change) => [change, NO_XFRM]))
    const steps: Step[] = []
    for (const change of changes) {
      for (const write of writesOf(change)) {
        const encode = encodeEntry(write, change.object, this.#indexOf)
        if (encode !== undefined) steps.push(this.#step(change, write, encode))
        else if (write !== 'delete') refused.set(change, NO_DEVICE)
      }
    }
    for (const { write, change } of steps) this.#ownWrites.expect(write, change.object)
    const answers = await connection.batch(
      steps.map(({ encode }) => encode),
      () => {
        this.#ownWrites.drain()
      },
    )
    this.#ownWrites.settle()
    for (const [at, refusal] of answers) {
      const step = steps[at]
      if (step === undefined || (step.write === 'delete' && saysAbsent(step.change.object, refusal))) continue
      refused.set(step.change, refusal)
      step.weight = 0
    }
    for (const { change, weight } of steps) this.#ownWeight.add(change.object.kind, weight)
    return refused
  }

  /** Undefined when this kernel has no policies. Throws KernelError. */
  #connectionFor(changes: readonly EntryChange[]): NetlinkConnection | undefined {
    if (changes[0]?.object.kind !== 'policy') return this.#connection
    try {
      return this.#xfrm.open()
    } catch (error) {
      if (hasNoXfrm(error)) return undefined
      throw error
    }
  }

  /** A message whose weight is taken from the very bytes that are sent. */
  #step(change: EntryChange, write: WriteMode, encode: Encode): Step {
    const { object, before } = change
    const parts = this.#ownWeight.partsOf(object.kind)
    if (parts === undefined) return { change, write, encode, weight: 0 }
    const weighed: Encode = (message) => {
      encode(message)
      if (write !== 'delete') step.weight += message.weigh(parts)
    }
    const step: Step = { change, write, encode: weighed, weight: 0 }
    const gone = write === 'delete' ? object : before
    if (gone !== undefined && gone.kind !== 'link') {
      const there = encodeEntry('add', gone, this.#indexOf)
      if (there !== undefined) step.weight -= this.#ownWeight.of(there, parts)
    } else if (write === 'replace') this.#ownWeight.lose(object.kind)
    return step
  }
}

/** A refused change once more, while there is a route to its gateway. */
function byReach([change, refusal]: readonly [EntryChange, Refusal]): readonly EntryChange[] {
  const reach = gatewayReach(change, refusal)
  if (reach === undefined) return []
  return [{ verb: 'add', object: reach }, change, { verb: 'delete', object: reach }]
}

/** The names of the devices an object is on. */
function devicesOf(object: SingleMessageObject): readonly string[] {
  const on = object.kind === 'route' ? object.target : object
  return 'device' in on ? [on.device] : []
}

/** The messages of a change. An address has nothing in it that could be replaced. */
function writesOf({ verb, object }: EntryChange): readonly WriteMode[] {
  if (verb === 'recreate' || (verb === 'replace' && object.kind === 'address')) return ['delete', 'add']
  return [verb]
}
