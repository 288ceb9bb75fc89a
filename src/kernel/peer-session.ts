// The session that has to be there before packets can be sent to a peer, and how IPsec's is seen: by its associations in the kernel.
import type { Address } from '../ip/address.ts'
import type { SecurityAssociation } from '../netlink/xfrm-state.ts'

/** What names a session. */
export type PeerSession =
  | { readonly type: 'wireguard'; readonly publicKey: string }
  /** By the address of the peer's host. */
  | { readonly type: 'ipsec'; readonly remote: Address }

/**
 * Whoever answers has its associations before the one who began, which is ready a round trip later: packets that are sent in between
 * are lost. The kernel counts in whole seconds: two of them are one at least.
 */
const SETTLED_S = 2

/** Hosts to which there are associations in both directions that the other end has too. `now` is in milliseconds since 1970. */
export function connectedHosts(associations: readonly SecurityAssociation[], now: number): ReadonlySet<Address> {
  const settled = associations.filter(({ since }) => Math.floor(now / 1000) - since >= SETTLED_S)
  const heard = new Set(settled.map(({ from }) => from))
  return new Set(settled.map(({ to }) => to).filter((to) => heard.has(to)))
}

/** How long an answer holds, where many peers are asked for at once. Milliseconds. */
const FRESH_MS = 200

/** The hosts that are connected by IPsec, read anew when it was a while ago. */
export class ConnectedHosts {
  readonly #read: () => Promise<readonly SecurityAssociation[]>
  #latest: { readonly at: number; readonly hosts: Promise<ReadonlySet<Address>> } | undefined

  constructor(read: () => Promise<readonly SecurityAssociation[]>) {
    this.#read = read
  }

  /** Rejects with KernelError. */
  async has(remote: Address): Promise<boolean> {
    const now = performance.now()
    if (this.#latest === undefined || now - this.#latest.at > FRESH_MS)
      this.#latest = { at: now, hosts: this.#read().then((found) => connectedHosts(found, Date.now())) }
    return (await this.#latest.hosts).has(remote)
  }
}
