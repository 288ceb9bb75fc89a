// What a network wants of helpers, and when they get it: those that make devices run before the kernel's objects are written, the
// others after them.
import type { Helper, HelperPeer, Peer } from '../backend.ts'
import type { HelperPeerChange, Helpers } from '../helpers/supervision.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { PeerChange } from '../lease/peer-step.ts'
import { type Intent, carrierOf, selfFor, selvesServed, serves } from '../reconcile/intent.ts'

/** What has to run for our host, by every backend in use. */
function helpersOf(intent: Intent): readonly Helper[] {
  return intent.active.flatMap(({ backend, config }) =>
    selvesServed(backend, intent).flatMap((self) => backend.helpers?.({ ...self, config }) ?? []),
  )
}

/** What helpers have to know of a peer: by the backend its lease names, and by others in use, by which it may send to us. */
function helperPeersOf(intent: Intent, peer: Peer): readonly HelperPeer[] {
  const host = selfFor(intent, peer)
  if (host === undefined) return []
  const carrier = carrierOf(intent, peer.type)
  return intent.active.flatMap((configured) => {
    const { backend, config } = configured
    if (!serves(backend, host.family)) return []
    const self = { ...host, config }
    return (configured === carrier ? backend.helperPeer?.(self, peer) : backend.helperSender?.(self, peer)) ?? []
  })
}

export class HelperOrder {
  readonly #helpers: Helpers
  readonly #network: object
  /** The intent that the helpers' peers were computed by; undefined while peers are not known. */
  #toldBy: Intent | undefined

  /** `network` names the network, as its owner's. */
  constructor(helpers: Helpers, network: object) {
    this.#helpers = helpers
    this.#network = network
  }

  /** Before the kernel's objects are written: packets go where these lead at once. Undefined when there is nothing to wait for. */
  ahead(intent: Intent, peers: ReadonlyMap<Prefix, Peer>): Promise<void> | undefined {
    // First: what is not wanted any more is no longer told of peers.
    const started = this.#helpers.ahead(this.#network, helpersOf(intent))
    if (this.#toldBy !== undefined && this.#toldBy !== intent) this.#tellAll(intent, peers)
    return started
  }

  /** After that: resolves to why helpers are down, or undefined. */
  async behind(): Promise<string | undefined> {
    await this.#helpers.behind()
    const { failures } = this.#helpers
    return failures.length === 0 ? undefined : failures.join('; ')
  }

  /** Takes peers that changed. The first call says that they are known completely. */
  peersChanged(intent: Intent, peers: ReadonlyMap<Prefix, Peer>, changes: readonly PeerChange[]): void {
    if (this.#toldBy === intent) {
      if (knowsPeers(intent))
        this.#helpers.peersChanged(
          this.#network,
          changes.map(({ subnet, after }) => wish(intent, subnet, after)),
        )
    } else this.#tellAll(intent, peers)
  }

  #tellAll(intent: Intent, peers: ReadonlyMap<Prefix, Peer>): void {
    this.#toldBy = intent
    const all = knowsPeers(intent) ? [...peers].map(([subnet, peer]) => wish(intent, subnet, peer)) : []
    this.#helpers.allPeers(this.#network, all)
  }
}

/** Whether a helper of any backend in use has to know peers. */
function knowsPeers({ active }: Intent): boolean {
  return active.some(({ backend }) => backend.helperPeer !== undefined)
}

function wish(intent: Intent, subnet: Prefix, peer: Peer | undefined): HelperPeerChange {
  return [subnet, peer === undefined ? [] : helperPeersOf(intent, peer)]
}
