// Writing to the kernel: changes in the order given, many in one send, each with a result of its own.
// Invariant: 'add' overwrites nothing that another program set; 'delete' names all that is known of an object; deleting what is
// absent is success.
import { KernelError } from '../errors.ts'
import type { NetlinkConnection } from '../netlink/connection.ts'
import { ERRNO, type Refusal, kernelError } from '../netlink/errno.ts'
import type { Encode } from '../netlink/message.ts'
import type { WriteMode } from '../netlink/neighbor.ts'
import { type LinkTools, applyLink } from './apply-link.ts'
import { type SingleMessageObject, encodeEntry, saysAbsent } from './encode.ts'
import type { OwnWeight } from './fingerprint.ts'
import { gatewayReach } from './gateway-reach.ts'
import type { KernelChange, Failure } from './kernel.ts'
import { observe } from './observe.ts'
import type { OwnWrites } from './own-writes.ts'
import { type XfrmConnection, hasNoXfrm } from './policies.ts'
import { type Link, keyOf } from './state.ts'
import type { WireguardPeerChange } from './wireguard/wireguard.ts'

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
interface Tools extends LinkTools {
  readonly xfrm: Pick<XfrmConnection, 'open'>
}

const NO_XFRM: Refusal = {
  errno: ERRNO.EPROTONOSUPPORT,
  detail: 'this kernel has no IPsec: load the module with modprobe xfrm_user, or set Backend.Type to vxlan',
}

/** Applies changes. */
export class KernelWriter {
  readonly #tools: Tools
  readonly #ownWrites: OwnWrites
  readonly #ownWeight: OwnWeight
  readonly #indexOf = (name: string): number | undefined => this.#tools.devices.indexOf(name)

  constructor(tools: Tools, ownWrites: OwnWrites, ownWeight: OwnWeight) {
    this.#tools = tools
    this.#ownWrites = ownWrites
    this.#ownWeight = ownWeight
  }

  /** As Kernel.apply says. Throws KernelError only when the socket itself fails. */
  async apply(changes: readonly KernelChange[]): Promise<readonly Failure[]> {
    const failures: Failure[] = []
    // What was written before is there before what comes after it: a device that is made or deleted changes what the entries mean.
    for (let at = 0; at < changes.length;) {
      const channel = channelOf(changes[at])
      const end =
        channel === 'link' ? at + 1 : changes.findIndex((change, i) => i > at && channelOf(change) !== channel)
      const part = changes.slice(at, end < 0 ? changes.length : end)
      failures.push(...(await this.#applyPart(part)))
      at += part.length
    }
    return failures
  }

  /** All of them go over one channel; a device is alone. */
  async #applyPart(changes: readonly KernelChange[]): Promise<readonly Failure[]> {
    const peers: WireguardPeerChange[] = []
    const entries: EntryChange[] = []
    for (const change of changes) {
      const { object } = change
      if (object.kind === 'link') return this.#applyLink(change, object)
      if (object.kind === 'wireguard-peer') peers.push({ ...change, object })
      else entries.push({ ...change, object })
    }
    if (peers.length === 0) return this.#applyEntries(entries)
    this.#ownWeight.lose('wireguard-peer')
    return this.#tools.wireguard.apply(peers)
  }

  async #applyLink(change: KernelChange, link: Link): Promise<readonly Failure[]> {
    this.#ownWrites.expect(change.verb === 'delete' ? 'delete' : 'replace', link)
    try {
      await applyLink(this.#tools, change.verb, link)
      return []
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      return [{ change, error }]
    } finally {
      this.#ownWrites.settle()
    }
  }

  /** All of them go over one connection. A second try is for changes that met an outdated device number, or an entry that no program set. */
  async #applyEntries(changes: readonly EntryChange[]): Promise<readonly Failure[]> {
    if (changes.length === 0) return []
    const first = await this.#send(changes)
    if (first.size === 0) return []
    const lost = [...first].flatMap(([{ object }, { errno }]) => (errno === ERRNO.ENODEV ? devicesOf(object) : []))
    if (lost.length > 0) await this.#tools.devices.refresh(new Set(lost))
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
        const state = await observe(this.#tools, object.kind, [object.device])
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
    if (changes[0]?.object.kind !== 'policy') return this.#tools.connection
    try {
      return this.#tools.xfrm.open()
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
    if (gone !== undefined && gone.kind !== 'link' && gone.kind !== 'wireguard-peer') {
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

/** How changes of a kind are written: those of one channel together. */
function channelOf(change: KernelChange | undefined): 'link' | 'wireguard-peer' | 'policy' | 'entry' {
  const kind = change?.object.kind
  return kind === 'link' || kind === 'wireguard-peer' || kind === 'policy' ? kind : 'entry'
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
