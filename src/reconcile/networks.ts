// What each network of this host wants of the kernel: its intent and its peers. The reconciler makes the kernel hold the union.
// Invariants: nothing is deleted before the peers of every network are known completely; a change that a pass took and could
// not work off is put back.
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Domain } from '../kernel/ownership.ts'
import { type Intent, domainOf } from './intent.ts'
import type { PassNetwork, Peers } from './pass.ts'

/** Names a network: any object of its owner's, such as its session. */
export type NetworkKey = object

/** A peer that came, changed or went; `before` is what it was. */
export interface ChangedPeer {
  readonly subnet: Prefix
  readonly before: Peer | undefined
}

/** What one network wants. */
interface Wanted {
  intent: Intent | undefined
  /** Networks that an earlier intent had, and that may still have objects in the kernel. */
  former: ReadonlySet<Prefix>
  peers: Peers
  /** Whether the peers are those of a complete listing. */
  complete: boolean
  /** Whether a pass went through since then. */
  applied: boolean
  toRecheck: Map<Prefix, Peer | undefined>
}

interface TakenNetwork extends PassNetwork {
  readonly key: NetworkKey
  readonly former: ReadonlySet<Prefix>
}

/** What a pass works off, with the network each part is of. */
export interface Taken {
  readonly networks: readonly TakenNetwork[]
  /** Whether the peers of all networks are complete. */
  readonly complete: boolean
  /** Whether what all networks want was put there by a pass before. */
  readonly appliedBefore: boolean
}

export class Networks {
  readonly #wanted = new Map<NetworkKey, Wanted>()

  want(network: NetworkKey, intent: Intent): void {
    const wanted = this.#of(network)
    const former = [...wanted.former, ...(wanted.intent === undefined ? [] : domainOf(wanted.intent).networks)]
    const now = domainOf(intent).networks
    wanted.former = new Set(former.filter((each) => !now.includes(each)))
    wanted.intent = intent
  }

  /** Marks the peers of a network complete; false when they were before. */
  complete(network: NetworkKey): boolean {
    const wanted = this.#of(network)
    if (wanted.complete) return false
    return (wanted.complete = true)
  }

  /** Takes the peers of a network, which are read again at each pass, and those of them that changed. */
  change(network: NetworkKey, peers: Peers, changes: Iterable<ChangedPeer>): void {
    const wanted = this.#of(network)
    wanted.peers = peers
    for (const { subnet, before } of changes) if (!wanted.toRecheck.has(subnet)) wanted.toRecheck.set(subnet, before)
  }

  /** Whether any peer changed since the last pass. */
  get changed(): boolean {
    return [...this.#wanted.values()].some(({ toRecheck }) => toRecheck.size > 0)
  }

  get intents(): readonly Intent[] {
    return [...this.#wanted.values()].flatMap(({ intent }) => intent ?? [])
  }

  /** What is ours in all networks, on these devices. */
  domain(devices: ReadonlySet<string>): Domain {
    const now = this.intents.flatMap((intent) => domainOf(intent).networks)
    return { devices, networks: [...now, ...[...this.#wanted.values()].flatMap(({ former }) => [...former])] }
  }

  /** A pass compared everything, and nothing was refused: of former networks it took nothing is left. */
  cleared({ networks }: Taken): void {
    for (const { key, former } of networks) {
      const wanted = this.#of(key)
      wanted.former = new Set([...wanted.former].filter((each) => !former.has(each)))
    }
  }

  /** What there is to do; changes from now on are for the next pass. */
  take(): Taken {
    const all = [...this.#wanted.values()]
    return {
      networks: [...this.#wanted].flatMap(([key, wanted]) => takeFrom(key, wanted)),
      complete: all.every(({ complete }) => complete),
      appliedBefore: all.every(({ intent, applied }) => intent === undefined || applied),
    }
  }

  /** A pass went through with what it took. */
  applied({ networks }: Taken): void {
    for (const { key } of networks) this.#of(key).applied = true
  }

  /** A pass broke off: what it took is to be done again. */
  putBack({ networks }: Taken): void {
    for (const { key, toRecheck } of networks) {
      const wanted = this.#of(key)
      // Of a peer that changed again meanwhile, the kernel has what it was before the first change.
      wanted.toRecheck = new Map([...wanted.toRecheck, ...toRecheck])
    }
  }

  #of(network: NetworkKey): Wanted {
    const known = this.#wanted.get(network)
    if (known !== undefined) return known
    const wanted: Wanted = {
      intent: undefined,
      former: new Set(),
      peers: new Map(),
      complete: false,
      applied: false,
      toRecheck: new Map(),
    }
    this.#wanted.set(network, wanted)
    return wanted
  }
}

function takeFrom(key: NetworkKey, wanted: Wanted): readonly TakenNetwork[] {
  const { intent, former, peers, toRecheck } = wanted
  if (intent === undefined) return []
  wanted.toRecheck = new Map()
  return [{ key, intent, former, peers, toRecheck }]
}
