// What the daemon sends to the page: the complete state once, then changes. Types only, for both sides, so it imports nothing.

/** A peer, as PeerView of src/view/peers.ts: of a host with two families what is the worse of both. Null is what is not known. */
export interface PagePeer extends Omit<PageFamily, 'family'> {
  /** The backend that its lease names. */
  readonly type: string | null
  /** Whether packets to it are encrypted on their way. */
  readonly encrypted: boolean | null
  /** Of a host with two families each by itself; else empty. */
  readonly families: readonly PageFamily[]
}

/** A peer in one family. */
export interface PageFamily {
  readonly family: number
  readonly subnet: string
  readonly publicAddress: string | null
  /** `direct`, or the backend that carries the traffic; empty: none. */
  readonly via: string
  /** Why so; empty where there is no choice. */
  readonly why: string
  readonly state: 'up' | 'degraded' | 'unreachable' | 'unknown' | 'refused'
  readonly rttMs: number | null
  /** 0 to 1. */
  readonly loss: number | null
  /** Bytes. */
  readonly pathMtu: number | null
  /** Milliseconds since 1970. */
  readonly since: number | null
  /** What is wrong, for people; empty when nothing is. */
  readonly note: string
}

/** Something that happened, as HappenedEvent of src/health/events.ts. */
export interface PageEvent {
  readonly id: number
  readonly at: number
  readonly kind: string
  readonly bad: boolean
  readonly text: string
}

/** A labelled line about this host, as `flanneld status` has it. */
export interface PageFact {
  readonly label: string
  readonly text: string
}

/** The verdict over this host: what `flanneld status` says and ends with. */
interface PageVerdict {
  readonly word: string
  /** The same as a sentence. */
  readonly summary: string
  /** What is wrong, each with the command to run next, where there is one. */
  readonly reasons: readonly { readonly text: string; readonly run: string | null }[]
}

/** This host, in the middle of the picture. What is not known yet is null. */
export interface PageHost {
  readonly name: string
  readonly subnet: string | null
  readonly address: string | null
  /** Its subnets and addresses in further families. */
  readonly others: readonly PageOther[]
  /** When its daemon started, milliseconds since 1970. */
  readonly since: number
}

/** What a host has in a family beside the first. */
interface PageOther {
  readonly subnet: string
  readonly address: string | null
}

/** A lease or reservation. */
export interface PageLease {
  readonly subnet: string
  readonly publicAddress: string
  readonly others: readonly PageOther[]
  readonly backend: string
  readonly kind: 'ours' | 'lease' | 'reserved' | 'expiring'
  /** When it ends unless renewed, milliseconds since 1970; null when never or not known. */
  readonly expires: number | null
  /** For people; empty when there is nothing to say. */
  readonly note: string
}

/** The leases, as last read. */
export interface PageLeases {
  readonly facts: readonly PageFact[]
  /** Those with a note or about to expire first. */
  readonly list: readonly PageLease[]
}

/** The state of the page. */
export interface PageState {
  readonly version: string
  /** The daemon's clock, milliseconds since 1970: ages are computed from it, not from the reader's clock. */
  readonly at: number
  readonly verdict: PageVerdict
  readonly host: PageHost
  readonly facts: readonly PageFact[]
  readonly peers: readonly PagePeer[]
  /** Peers left out because there are too many to show. */
  readonly unshown: number
  readonly leases: PageLeases
  /** The most recent ones, oldest first. */
  readonly events: readonly PageEvent[]
}

/** What changed; absent parts did not. `whole` starts over, with every part of the state and all peers in `set`. */
export interface PageChange extends Partial<Omit<PageState, 'peers' | 'at'>> {
  readonly at: number
  readonly whole?: true
  /** `gone` are keys (keyOf of changes.ts). */
  readonly peers?: { readonly set: readonly PagePeer[]; readonly gone: readonly string[] }
}
