// The connections of one charon, kept as wanted: told of what changed, begun when they are not up, and rid of associations that nobody
// knows any more. Level-triggered: every step compares what charon and the kernel have with what is wanted.
// Invariants: one step at a time; a peer that charon refuses, or that does not answer, holds up no other; no association of a working
// tunnel is deleted before another one carries its packets.
import type { CharonPeer } from '../../health/outside-kernel.ts'
import { coalesce } from '../../async/coalesce.ts'
import { timerTime } from '../../async/wait.ts'
import { equal } from '../../equal.ts'
import { messageOf } from '../../errors.ts'
import type { Prefix } from '../../ip/prefix.ts'
import { deleteAssociations, ownAssociations, watchAssociations } from '../../kernel/associations.ts'
import type { Log } from '../../log.ts'
import type { SecurityAssociation } from '../../netlink/xfrm-state.ts'
import type { ViciClient } from '../vici/client.ts'
import type { HelperPeers } from '../driver.ts'
import { CHILD, type ConnectionState, beginsFirst, connectionName, connectionOf, statesIn } from './connections.ts'

/** How long the one of the two who does not begin waits for the other. Milliseconds. */
const GRACE_MS = 3000
/** Between two looks: while something is missing, and else (charon reports what happens in between). Milliseconds. */
const SOON_MS = 1000
const CALM_MS = 60_000

/** What is known of a wanted connection. */
interface Tunnel {
  readonly peer: CharonPeer
  /** When it was found not to be up (performance.now). */
  downSince: number
  /** What charon said against it, logged once. */
  refusal: string | undefined
}

export class Tunnels {
  readonly #client: ViciClient
  readonly #log: Log
  readonly #tunnels = new Map<string, Tunnel>()
  /** What charon has to be told: connections to load (again), and those to end. */
  readonly #toLoad = new Set<string>()
  readonly #toEnd = new Set<string>()
  /** Whether what an earlier daemon told charon was compared with what is wanted. */
  #compared = false
  #up = 0
  #timer: NodeJS.Timeout | undefined
  readonly #end = new AbortController()
  readonly #sync: () => Promise<void>

  constructor(client: ViciClient, log: Log) {
    this.#client = client
    this.#log = log
    this.#sync = coalesce(
      () => this.#step(),
      (error) => {
        if (!this.#end.signal.aborted) log.warn(`charon: ${messageOf(error)}; trying again`)
        this.#later(SOON_MS)
      },
    )
  }

  /** Listens to charon and the kernel: what happens to a connection is looked at at once. Rejects with ViciError, KernelError. */
  async listen(): Promise<void> {
    const look = (): void => void this.#sync()
    watchAssociations(look, this.#end.signal)
    for (const event of ['ike-updown', 'child-updown']) await this.#client.listen(event, look)
  }

  /** Takes the peers, and which of them changed. */
  peers(all: HelperPeers<CharonPeer>, changed: Iterable<Prefix>): void {
    for (const subnet of changed) {
      const peer = all.get(subnet)
      const name = connectionName({ subnet })
      const before = this.#tunnels.get(name)?.peer
      if (peer === undefined) {
        this.#tunnels.delete(name)
        this.#toLoad.delete(name)
        this.#toEnd.add(name)
        continue
      }
      // Another address is another host: what there is with the one before ends.
      if (before !== undefined && !equal(before, peer)) this.#toEnd.add(name)
      this.#tunnels.set(name, { peer, downSince: performance.now(), refusal: undefined })
      this.#toLoad.add(name)
    }
    void this.#sync()
  }

  /** All connections begin anew: the key is another. */
  renew(): void {
    for (const name of this.#tunnels.keys()) {
      this.#toEnd.add(name)
      this.#toLoad.add(name)
    }
    void this.#sync()
  }

  /** Connections wanted, and those that carry packets. */
  get counts(): { readonly wanted: number; readonly up: number } {
    return { wanted: this.#tunnels.size, up: this.#up }
  }

  /** Peers that are not reached, by their subnets. */
  get down(): readonly string[] {
    return [...this.#tunnels].flatMap(([name, { downSince }]) => (downSince === Infinity ? [] : [name]))
  }

  close(): void {
    this.#end.abort()
    clearTimeout(this.#timer)
  }

  async #step(): Promise<void> {
    if (this.#end.signal.aborted) return
    if (!this.#compared) await this.#compare()
    await this.#tell()
    const found = await ownAssociations()
    const events = await this.#client.list('list-sas', 'list-sa')
    const states = await this.#withoutBroken(events.flatMap(statesIn), found)
    await this.#begin(states)
    await this.#sweep(states, found)
    this.#later(this.#up === this.#tunnels.size ? CALM_MS : SOON_MS)
  }

  /** Ends what an earlier daemon told charon and nobody wants now. */
  async #compare(): Promise<void> {
    const conns = (await this.#client.request('get-conns')).get('conns')
    for (const name of Array.isArray(conns) ? (conns as readonly string[]) : [])
      if (!this.#tunnels.has(name)) this.#toEnd.add(name)
    this.#compared = true
  }

  async #tell(): Promise<void> {
    for (const name of this.#toEnd) {
      this.#toEnd.delete(name)
      // Either may have gone by itself.
      await this.#client.request('unload-conn', { name }).catch(() => undefined)
      await this.#client.request('terminate', { ike: name, force: 'yes', timeout: '-1' }).catch(() => undefined)
    }
    for (const name of this.#toLoad) {
      this.#toLoad.delete(name)
      const tunnel = this.#tunnels.get(name)
      if (tunnel === undefined) continue
      try {
        await this.#client.request('load-conn', connectionOf(tunnel.peer))
      } catch (error) {
        if (this.#end.signal.aborted) return
        tunnel.refusal = messageOf(error)
        this.#log.error(`peer ${name}: ${tunnel.refusal}`)
      }
    }
  }

  /** Begins what is not up, each of the two hosts in its turn. */
  async #begin(states: readonly ConnectionState[]): Promise<void> {
    const now = performance.now()
    this.#up = 0
    for (const [name, tunnel] of this.#tunnels) {
      const ofThis = states.filter((state) => state.name === name)
      if (ofThis.some(({ up }) => up)) {
        this.#up++
        tunnel.downSince = Infinity
        continue
      }
      if (tunnel.downSince === Infinity) tunnel.downSince = now
      const isTurn = beginsFirst(tunnel.peer) || now - tunnel.downSince >= GRACE_MS
      if (!isTurn || ofThis.some(({ under }) => under) || tunnel.refusal !== undefined) continue
      // charon works on it by itself; how it ended is seen at the next look.
      await this.#client.request('initiate', { ike: name, child: CHILD, timeout: '-1' }).catch(() => undefined)
    }
  }

  /** Ends those whose associations somebody took out of the kernel: charon would keep them until their next rekeying. */
  async #withoutBroken(
    states: readonly ConnectionState[],
    found: readonly SecurityAssociation[],
  ): Promise<readonly ConnectionState[]> {
    const lacks = (there: readonly SecurityAssociation[]): readonly ConnectionState[] => {
      const spis = new Set(there.map(({ spi }) => spi))
      return states.filter((state) => state.up && state.spis.some((spi) => !spis.has(spi)))
    }
    // What came after the first look is in the second one.
    const broken = lacks(found).length === 0 ? [] : lacks(await ownAssociations())
    for (const { name } of broken) {
      this.#log.warn(`peer ${name}: its associations are gone from the kernel: agreeing on new ones`)
      await this.#client.request('terminate', { ike: name, force: 'yes', timeout: '-1' }).catch(() => undefined)
    }
    return states.filter((state) => !broken.includes(state))
  }

  /** Deletes associations that charon does not know: those of a charon that died, once another one carries the packets. */
  async #sweep(states: readonly ConnectionState[], found: readonly SecurityAssociation[]): Promise<void> {
    const known = new Set(states.flatMap(({ spis }) => spis))
    const up = new Set(states.filter((state) => state.up).map(({ name }) => name))
    const byRemote = new Map([...this.#tunnels].map(([name, { peer }]) => [peer.remote, { name, peer }]))
    const stale = found.filter(({ from, to, spi }) => {
      if (known.has(spi)) return false
      const tunnel = byRemote.get(from) ?? byRemote.get(to)
      return tunnel === undefined || up.has(tunnel.name)
    })
    await deleteAssociations(stale)
  }

  #later(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#end.signal.aborted) this.#timer = setTimeout(() => void this.#sync(), timerTime(ms)).unref()
  }
}
