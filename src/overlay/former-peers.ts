// Peers that go over from one backend to another, or from a tunnel to an encrypted way of the same one. What carries packets the new way is put beside the old one first: a peer may need to
// know our key before it takes packets, and it may send the old way until it knows of our change.
// Invariants: bounded in time, whatever the peer does; what is decided depends on the peer, its former self and the time alone.
import type { Peer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { PeerSession } from '../kernel/peer-session.ts'
import type { PeerChange } from '../lease/peer-step.ts'
import type { ChangedPeer } from '../reconcile/networks.ts'
import type { Peers } from '../reconcile/pass.ts'

/** How long a session is waited for before packets go the new way all the same. Milliseconds. */
const CONNECT_MS = 15_000
/** How long what a peer's former way needs is kept after that: it may still send by it. Milliseconds. */
const LINGER_MS = 10_000
const LOOK_MS = 300

/** What was, and since when packets go the new way (performance.now); undefined: they do not yet. */
interface Former {
  readonly peer: Peer
  readonly began: number
  readonly led: number | undefined
}

/** What it needs to know, and whom to tell. */
export interface FormerParts {
  /** The session that has to be there before packets go to a peer; undefined where none is needed. */
  readonly sessionOf: (peer: Peer) => PeerSession | undefined
  readonly isConnected: (session: PeerSession) => Promise<boolean>
  /** Peers are to be written again, or (empty) none is on its way any more. */
  readonly changed: (changes: readonly ChangedPeer[]) => void
}

export class FormerPeers {
  readonly #parts: FormerParts
  readonly #formers = new Map<Prefix, Former>()
  #peers: ReadonlyMap<Prefix, Peer> = new Map()
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  /** All peers, those on their way with what they were. Read again at each pass. */
  readonly view: Peers

  constructor(parts: FormerParts) {
    this.#parts = parts
    this.view = {
      get: (subnet) => {
        const peer = this.#peers.get(subnet)
        return peer && this.#with(peer)
      },
      values: () => this.#values(),
    }
  }

  /** Takes peers that changed. Returns them as they were in `view`. */
  take(peers: ReadonlyMap<Prefix, Peer>, changes: readonly PeerChange[]): readonly ChangedPeer[] {
    const changed = changes.map(({ subnet, before }) => ({ subnet, before: before && this.#with(before) }))
    this.#peers = peers
    for (const { subnet, before, after } of changes) {
      if (after === undefined) this.#formers.delete(subnet)
      else if (before !== undefined && this.#goesOver(before, after)) this.#begin(subnet, before, after)
    }
    this.#lookLater()
    return changed
  }

  /** The backends that are still needed, with those of `types`, sorted. */
  typesWith(types: readonly string[]): readonly string[] {
    if (this.#formers.size === 0) return types
    return [...new Set([...types, ...Array.from(this.#formers.values(), ({ peer }) => peer.type)])].toSorted()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Whether another backend carries packets, or the same one needs a session that it did not need. */
  #goesOver(before: Peer, after: Peer): boolean {
    if (before.type !== after.type) return true
    return this.#parts.sessionOf(after) !== undefined && this.#parts.sessionOf(before) === undefined
  }

  *#values(): MapIterator<Peer> {
    for (const peer of this.#peers.values()) yield this.#with(peer)
  }

  #begin(subnet: Prefix, peer: Peer, after: Peer): void {
    const now = performance.now()
    const led = this.#parts.sessionOf(after) === undefined ? now : undefined
    this.#formers.set(subnet, { peer, began: now, led })
  }

  #with(peer: Peer): Peer {
    const former = this.#formers.size === 0 ? undefined : this.#formers.get(peer.subnet)
    if (former === undefined) return peer
    return { ...peer, former: { peer: former.peer, leads: former.led === undefined } }
  }

  #lookLater(): void {
    if (this.#formers.size === 0 || this.#stopped) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#look().finally(() => {
        this.#lookLater()
      })
    }, LOOK_MS)
  }

  async #look(): Promise<void> {
    const changed: ChangedPeer[] = []
    for (const [subnet, former] of [...this.#formers]) {
      const next = await this.#next(subnet, former)
      if (next === former || this.#formers.get(subnet) !== former) continue
      const peer = this.#peers.get(subnet)
      changed.push({ subnet, before: peer && this.#with(peer) })
      if (next === undefined) this.#formers.delete(subnet)
      else this.#formers.set(subnet, next)
    }
    if (changed.length > 0 && !this.#stopped) this.#parts.changed(changed)
  }

  /** What it is now; undefined when it is over. */
  async #next(subnet: Prefix, former: Former): Promise<Former | undefined> {
    const { began, led } = former
    const now = performance.now()
    if (led !== undefined) return now - led < LINGER_MS ? former : undefined
    const peer = this.#peers.get(subnet)
    const session = peer && this.#parts.sessionOf(peer)
    const leads = session === undefined || now - began > CONNECT_MS || (await this.#parts.isConnected(session))
    return leads ? { ...former, led: now } : former
  }
}
