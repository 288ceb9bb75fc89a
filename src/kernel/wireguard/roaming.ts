// Whether a peer's endpoint is the one it has by its own packets. WireGuard sends to where the last authentic packet came from: a
// peer behind a NAT, or one that moved, is reached there and not where its lease says. That must not be repaired back and forth;
// an endpoint that another program set must be repaired. Pure but for what it remembers.
// Invariants: an endpoint from which packets come is kept; one that gets packets and from which none come is put right once.
import { equal } from '../../equal.ts'
import type { Endpoint, WireguardPeerRecord } from '../../netlink/wireguard.ts'

/** A session whose handshake is older cannot be used any more (REJECT_AFTER_TIME of WireGuard's paper). Milliseconds. */
export const SESSION_MS = 180_000
/** An endpoint that was put right and is there again within this time is the peer's own. Milliseconds. */
const AGAIN_MS = 600_000
/** Answers to what was sent are waited for this long. Milliseconds. */
const ANSWER_MS = 300

/** Another endpoint than the one that was set, as first seen. */
interface Moved {
  readonly endpoint: Endpoint
  readonly at: number
  readonly received: number
  readonly sent: number
  confirmed: boolean
}

interface Known {
  /** The endpoint that was set, or was there when the peer was first seen. */
  readonly set: Endpoint
  /** Whether it was there: it may have been the peer's packets that set it, and the lease may say another one. */
  readonly found: boolean
  moved: Moved | undefined
  /** An endpoint that was taken for another program's work and put right. */
  overruled: { readonly endpoint: Endpoint; readonly at: number } | undefined
}

export class Roaming {
  readonly #known = new Map<string, Known>()

  /** The endpoint of a peer was written. `key` names device and peer. */
  wrote(key: string, endpoint: Endpoint): void {
    const overruled = this.#known.get(key)?.overruled
    this.#known.set(key, { set: endpoint, found: false, moved: undefined, overruled })
  }

  forget(key: string): void {
    this.#known.delete(key)
  }

  /**
   * The endpoint to hold against the wanted one: the one that was set, while the peer's own packets changed it; undefined where
   * any is right. `now`: milliseconds since 1970.
   */
  judge(key: string, peer: WireguardPeerRecord, now: number): Endpoint | undefined {
    const { endpoint, handshake } = peer
    if (endpoint === undefined) return NOWHERE
    const alive = now - handshake < SESSION_MS
    const known = this.#known.get(key)
    if (known === undefined) {
      if (alive) this.#known.set(key, { set: endpoint, found: true, moved: undefined, overruled: undefined })
      return alive ? undefined : endpoint
    }
    if (!alive) return endpoint
    if (!equal(endpoint, known.set) && !isItsOwn(known, { ...peer, endpoint }, now)) {
      known.overruled = { endpoint, at: now }
      return endpoint
    }
    return known.found ? undefined : known.set
  }
}

/** No plan has it. */
const NOWHERE: Endpoint = { address: '0.0.0.0' as Endpoint['address'], port: 0 }

function isItsOwn(
  known: Known,
  { endpoint, received, sent }: WireguardPeerRecord & { readonly endpoint: Endpoint },
  now: number,
): boolean {
  const { moved, overruled } = known
  if (moved === undefined || !equal(moved.endpoint, endpoint)) {
    // Put right once and changed again: by its packets.
    const confirmed = overruled !== undefined && now - overruled.at < AGAIN_MS && equal(overruled.endpoint, endpoint)
    known.moved = { endpoint, at: now, received, sent, confirmed }
    return true
  }
  // A packet from elsewhere would have changed it.
  if (received > moved.received) moved.confirmed = true
  return moved.confirmed || sent === moved.sent || now - moved.at < ANSWER_MS
}
