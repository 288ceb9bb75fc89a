// Whose turn it is: a bounded number of peers each round, all of them in turn, those under suspicion first.
// Invariant: with n peers, PEERS a round and at most half of them suspects, everyone's turn comes within n / (PEERS / 2)
// rounds whatever is suspected; who is under suspicion has a turn each round as long as they are few.

/** Peers that get a turn in one round. */
export const PEERS = 16

/** The order of turns. `K` names a peer. */
export class Turns<K> {
  #peers: ReadonlyMap<K, unknown> = new Map()
  #rest: Iterator<K, undefined> = [].values()
  /** In the order of their last turn. */
  readonly #suspects = new Set<K>()

  /** Puts a peer under suspicion, or clears it. */
  suspect(peer: K, suspicious: boolean): void {
    if (!suspicious) this.#suspects.delete(peer)
    else this.#suspects.add(peer)
  }

  /**
   * Those whose turn it is: at most `most`, none of them `busy`. `peers` is walked on from where the last round ended;
   * `skip` (0 to 1) says where in it to begin, so that many hosts do not all begin with the same.
   */
  next(peers: ReadonlyMap<K, unknown>, busy: (peer: K) => boolean, most = PEERS, skip = 0): readonly K[] {
    const chosen = new Set<K>()
    for (const peer of this.#suspects) {
      if (!peers.has(peer)) this.#suspects.delete(peer)
      else if (chosen.size < most / 2 && !busy(peer)) chosen.add(peer)
    }
    for (const peer of chosen) {
      this.#suspects.delete(peer)
      this.#suspects.add(peer)
    }
    if (peers !== this.#peers) this.#begin(peers, Math.floor(skip * peers.size))
    // A step each for those passed over and for the end of the walk.
    for (let steps = 0; chosen.size < most && steps <= peers.size; steps++) {
      const step = this.#rest.next()
      if (step.done === true) this.#rest = peers.keys()
      else if (!busy(step.value)) chosen.add(step.value)
    }
    return [...chosen]
  }

  /** An iterator of a Map continues through entries added and deleted meanwhile. */
  #begin(peers: ReadonlyMap<K, unknown>, skipped: number): void {
    this.#peers = peers
    this.#rest = peers.keys()
    for (let i = 0; i < skipped; i++) this.#rest.next()
  }
}
