// What a network wants of helpers, and when they get it: those that make devices run before the kernel's objects are written, the
// others after them.
import type { Helper, HelperPeer, Peer } from '../backend.ts'
import type { HelperPeerChange, Helpers } from '../helpers/supervision.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { PeerChange } from '../lease/peer-step.ts'
import { type Intent, carrierOf, selfFor, selvesServed } from '../reconcile/intent.ts'

/** What has to run for our host, by every backend in use. */
export function helpersOf(intent: Intent): readonly Helper[] {
  return intent.active.flatMap(({ backend, config }) =>
    selvesServed(backend, intent).flatMap((self) => backend.helpers?.({ ...self, config }) ?? []),
  )
}

/** What a helper has to know of a peer. */
export function helperPeerOf(intent: Intent, peer: Peer): HelperPeer | undefined {
  const configured = carrierOf(intent, peer.type)
  const self = configured?.backend.helperPeer === undefined ? undefined : selfFor(intent, peer)
  return self && configured?.backend.helperPeer?.({ ...self, config: configured.config }, peer)
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

  /** Before the kernel's objects are written. Undefined when there is nothing to wait for. */
  ahead(intent: Intent): Promise<void> | undefined {
    return this.#helpers.ahead(this.#network, helpersOf(intent))
  }

  /** After that: resolves to why helpers are down, or undefined. */
  async behind(intent: Intent, peers: ReadonlyMap<Prefix, Peer> | undefined): Promise<string | undefined> {
    if (peers !== undefined && this.#toldBy !== intent) this.#tellAll(intent, peers)
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
  return [subnet, peer && helperPeerOf(intent, peer)]
}
