// The one place where what runs outside the kernel is supervised: the union of what all networks of this host want is compared with
// what runs.
// Invariants: a helper that no network wants is stopped; at the daemon's end none keeps it for longer than STOP_MS; what a helper
// does not need to know costs nothing.
import type { Helper, HelperPeer } from '../backend.ts'
import { pause } from '../async/wait.ts'
import { equal } from '../equal.ts'
import { messageOf } from '../errors.ts'
import type { Conditions } from '../health/conditions.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Log } from '../log.ts'
import type { HelperDrivers, StrangerRule } from './driver.ts'
import { type HelperStatus, Slot, describe } from './slot.ts'

/** How long the daemon's end waits for helpers. Milliseconds. */
const STOP_MS = 1500

/** Names a network: any object of its owner's, such as its session. */
type NetworkKey = object

/** What helpers have to know of a peer from now on, one value a helper at most; empty: none of it any more. */
export type HelperPeerChange = readonly [subnet: Prefix, peers: readonly HelperPeer[]]

/** What supervising works with. */
export interface HelpersParts {
  readonly drivers: HelperDrivers
  /** All types there are drivers of. */
  readonly types: readonly Helper['type'][]
  readonly conditions: Conditions
  readonly strangers: StrangerRule
  readonly log: Log
}

export class Helpers {
  readonly #parts: HelpersParts
  readonly #wanted = new Map<NetworkKey, readonly Helper[]>()
  /** What helpers know of the peers of each network whose peers are known completely. */
  readonly #peers = new Map<NetworkKey, Map<Prefix, readonly HelperPeer[]>>()
  readonly #slots = new Map<string, Slot>()
  readonly #listeners: (() => void)[] = []
  #sweptLeft = false
  #stopped = false

  constructor(parts: HelpersParts) {
    this.#parts = parts
  }

  /** Calls `listener` when a helper went down or runs again. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** How each helper is. */
  get status(): readonly HelperStatus[] {
    return [...this.#slots.values()].map(({ status }) => status)
  }

  /** Why helpers are down, "forwarder of flannel0: ..." each. */
  get failures(): readonly string[] {
    return this.status.flatMap((status) => (status.error === null ? [] : [`${describe(status)}: ${status.error}`]))
  }

  /**
   * Takes what a network wants, before the kernel's objects are written. Starts those that make devices; undefined when there is nothing
   * to wait for.
   */
  ahead(network: NetworkKey, helpers: readonly Helper[]): Promise<void> | undefined {
    this.#wanted.set(network, helpers)
    const union = this.#union()
    for (const [key, slot] of this.#slots) if (!union.has(key)) slot.rest()
    const first = [...union].filter(([, helper]) => this.#parts.drivers(helper.type).makesDevices)
    return first.length === 0 ? undefined : this.#run(first)
  }

  /** The kernel's objects are written: starts the others, and stops those that no network wants. Undefined as above. */
  behind(): Promise<void> | undefined {
    const union = this.#union()
    const left = this.#endLeft(union)
    if (union.size === 0 && this.#slots.size === 0) return left
    const unwanted = [...this.#slots].filter(([key]) => !union.has(key))
    for (const [key] of unwanted) this.#slots.delete(key)
    const stopped = unwanted.map(([, slot]) => slot.stop('unwanted'))
    this.#report()
    return Promise.all([this.#run([...union]), left, ...stopped]).then(() => undefined)
  }

  /** Takes all peers of a network; the first call says that they are known completely. */
  allPeers(network: NetworkKey, peers: Iterable<HelperPeerChange>): void {
    const all = new Map(peers)
    const gone = [...(this.#peers.get(network)?.keys() ?? [])].filter((subnet) => !all.has(subnet))
    this.peersChanged(network, [...gone.map((subnet) => [subnet, []] as const), ...all])
  }

  /** Takes peers that changed. */
  peersChanged(network: NetworkKey, changes: Iterable<HelperPeerChange>): void {
    const known = this.#peers.get(network) ?? new Map<Prefix, readonly HelperPeer[]>()
    this.#peers.set(network, known)
    for (const [subnet, peers] of changes) {
      const before = known.get(subnet) ?? []
      if (equal(before, peers)) continue
      if (peers.length === 0) known.delete(subnet)
      else known.set(subnet, peers)
      for (const one of before)
        if (!peers.some((other) => keyOf(other) === keyOf(one))) this.#slots.get(keyOf(one))?.change(subnet, undefined)
      for (const one of peers) this.#slots.get(keyOf(one))?.change(subnet, one)
    }
    this.#tell()
  }

  /** Leaves what carries packets running and ends the rest. */
  async stop(): Promise<void> {
    this.#stopped = true
    const enough = new AbortController()
    const stopping = Promise.all([...this.#slots.values()].map((slot) => slot.stop('daemon-ends')))
    await Promise.race([stopping, pause(STOP_MS, enough.signal)])
    enough.abort()
  }

  /** Once peers are known: ends what an earlier daemon left running, where no network wants its type any more. */
  #endLeft(union: ReadonlyMap<string, Helper>): Promise<void> | undefined {
    if (this.#sweptLeft || !this.#known) return undefined
    this.#sweptLeft = true
    const { drivers, types, log } = this.#parts
    const wanted = new Set([...union.values()].map(({ type }) => type))
    const ending = types.filter((type) => !wanted.has(type)).flatMap((type) => drivers(type).endLeft?.() ?? [])
    if (ending.length === 0) return undefined
    return Promise.all(ending).then(
      () => undefined,
      (error: unknown) => {
        log.warn(`left by an earlier run: ${messageOf(error)}`)
      },
    )
  }

  #union(): ReadonlyMap<string, Helper> {
    return new Map([...this.#wanted.values()].flat().map((helper) => [keyOf(helper), helper]))
  }

  async #run(helpers: readonly (readonly [key: string, helper: Helper])[]): Promise<void> {
    if (this.#stopped) return
    await Promise.all(helpers.map(([key, helper]) => this.#slot(key, helper).want(helper)))
  }

  #slot(key: string, helper: Helper): Slot {
    const known = this.#slots.get(key)
    if (known !== undefined) return known
    const { drivers, strangers, log } = this.#parts
    const changed = (): void => {
      this.#report()
      for (const listener of this.#listeners) listener()
    }
    const troubled = (): void => {
      this.#reportTroubles()
    }
    const slot = new Slot(helper, { driver: drivers(helper.type), strangers, log, changed, troubled })
    this.#slots.set(key, slot)
    for (const known of this.#peers.values())
      for (const [subnet, peers] of known) for (const one of peers) if (keyOf(one) === key) slot.change(subnet, one)
    if (this.#known) slot.tell()
    return slot
  }

  /** Whether the peers of all networks are known. */
  get #known(): boolean {
    return [...this.#wanted.keys()].every((network) => this.#peers.has(network))
  }

  #tell(): void {
    if (this.#known) for (const slot of this.#slots.values()) slot.tell()
  }

  #report(): void {
    this.#reportTroubles()
    const { conditions } = this.#parts
    const { failures } = this
    if (failures.length === 0) conditions.clear('helper-down')
    else
      conditions.set('helper-down', {
        level: 'fault',
        gist: `${failures.length === 1 ? 'a helper is' : `${failures.length} helpers are`} down`,
        text: `${failures.join('; ')}; it is started again until it runs`,
        run: null,
      })
  }

  #reportTroubles(): void {
    const { conditions } = this.#parts
    const troubles = [...this.#slots.values()].flatMap(({ status, trouble }) =>
      trouble === undefined ? [] : [`${describe(status)}: ${trouble}`],
    )
    if (troubles.length === 0) conditions.clear('helper-troubled')
    else
      conditions.set('helper-troubled', {
        level: 'fault',
        gist: 'a helper cannot do all it has to',
        text: troubles.join('; '),
        run: null,
      })
  }
}

function keyOf({ type, name }: Pick<Helper, 'type' | 'name'>): string {
  return `${type} ${name}`
}
