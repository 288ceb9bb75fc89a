// What differs between the types of helpers: how one is started, told of peers and stopped. One file for each type is beside this.
import type { Helper, HelperPeer } from '../backend.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { Log } from '../log.ts'

/** What a helper knows of the peers, by their subnets. */
export type HelperPeers<P = HelperPeer> = ReadonlyMap<Prefix, P>

/** How one type of helper is run. */
export interface HelperDriver<H extends Helper, P extends HelperPeer> {
  readonly type: H['type']
  /** Whether it makes devices, and so has to run before the kernel's objects are written; others need those objects. */
  readonly makesDevices: boolean
  /** Starts it, or takes over the one that an earlier daemon left running. Rejects with the cause and what to do. */
  start(wanted: H, context: HelperContext): Promise<RunningHelper<H, P>>
  /** Ends one that an earlier daemon left and no network wants; undefined where there is none. Absent: none is ever left. */
  endLeft?(): Promise<void> | undefined
}

/** What a helper is started with. */
export interface HelperContext {
  /** To be called when it has ended by itself; it is started again. */
  readonly ended: (why: string) => void
  /** To be called when it runs but cannot do all it has to: why, for as long as that holds; undefined once it can. */
  readonly troubled: (why: string | undefined) => void
  readonly strangers: StrangerRule
  readonly log: Log
}

/** What becomes of packets that come from hosts that are no peers: as the flags -vxlan-guard and -vxlan-guard-allow say. */
export interface StrangerRule {
  readonly dropped: boolean
  readonly but: readonly Prefix[]
}

/** A helper at work. */
export interface RunningHelper<H extends Helper, P extends HelperPeer> {
  /** Goes over to another wish without a gap; false when it has to be started anew for that. Rejects when it cannot be told. */
  update(wanted: H): Promise<boolean>
  /**
   * Takes the peers: all of them and which differ from the last call, at the first call every one. It is first called when the peers are
   * known completely: what an earlier daemon told it holds until then.
   */
  peers(all: HelperPeers<P>, changed: Iterable<Prefix>): void
  /** What `flanneld status` shows of it: counts, its process and the like. */
  facts(): HelperFacts
  /** Ends it where no network wants it; where the daemon ends, one that forwards packets goes on. Resolves when that is done. */
  stop(reason: 'unwanted' | 'daemon-ends'): Promise<void>
}

/** Names and values of what there is to know of a helper. */
export type HelperFacts = Readonly<Record<string, string | number>>

/** Drivers by type. Tests give their own. */
export type HelperDrivers = (type: Helper['type']) => HelperDriver<Helper, HelperPeer>
