// The Backend contract: types and promises only. A backend turns "our host" and "a peer's lease" into kernel objects.
//
// Promises of every backend (the contract suite in test/contract holds all of them to it):
// - pure and synchronous: no I/O, no clock, no randomness; the same input gives the same output;
// - total: a malformed peer comes back as a refusal, nothing is thrown after parseConfig;
// - one peer at a time: what a peer needs depends on that peer and on our host alone, so the order of peers cannot
//   matter, one bad peer cannot hold up another, and a change of one peer costs one peer's work;
// - no two peers with different subnets and data claim one kernel object.
import type { Address, Family } from './ip/address.ts'
import type { Mac } from './ip/mac.ts'
import type { Prefix } from './ip/prefix.ts'
import type { Command, Helper, HelperPeer } from './health/outside-kernel.ts'
import type { PeerSession } from './kernel/peer-session.ts'
import type { KernelObject, LinkType } from './kernel/state.ts'
import type { Secret } from './text/secret.ts'

/** A JSON object as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>

/** The interface that outer packets of one family use, as netlink shows it. */
export interface ExternalInterface {
  /** Family of the outer packets. */
  readonly family: Family
  readonly name: string
  readonly index: number
  readonly mtu: number
  readonly mac: Mac | undefined
  /** Our address on it: source of outer packets. */
  readonly address: Address
  /** What other hosts reach us by; differs from `address` behind a NAT. */
  readonly publicAddress: Address
  /** Prefixes reached on it without a gateway. */
  readonly onlink: readonly Prefix[]
}

/**
 * Our own host in one family, as far as a plan depends on it. A host with two families has two of these, and two subnets;
 * a backend sees one at a time, with the peers of that family.
 */
export interface Self<Config> {
  /** Family of `network` and `subnet`. */
  readonly family: Family
  readonly config: Config
  /** The cluster's network, e.g. 10.2.0.0/16. */
  readonly network: Prefix
  /** Our leased subnet, e.g. 10.2.21.0/24. */
  readonly subnet: Prefix
  /** The interface whose family is that of `subnet`. */
  readonly external: ExternalInterface
  /** The interface of the other family, where this host uses one: a tunnel over it may carry packets of this family too. */
  readonly otherExternal: ExternalInterface | undefined
  /** What `prepares` asked for, by name. */
  readonly prepared: ReadonlyMap<string, string>
  /** Identity of this host, stable over restarts: the seed of made-up MACs. */
  readonly hostId: string
  /** MACs that devices of ours already have, by device name: kept, so that peers need not learn a new one. */
  readonly keptMacs: ReadonlyMap<string, Mac>
  /** Whether peers' routes go through nexthop objects (large clusters, kernel 5.3+) or carry their gateway themselves. */
  readonly nexthops: boolean
}

/**
 * A peer's lease in one family, that of its subnet: checked against the network, with the backend's own part decoded. A host
 * with two families is two peers.
 */
export interface Peer<Data = unknown> {
  readonly subnet: Prefix
  readonly publicAddress: Address
  /** The subnet of the same lease in the other family, where that one is believed too. */
  readonly also?: Prefix | undefined
  /** Its public address in the other family, where it has `also`. */
  readonly otherAddress?: Address | undefined
  /** Another source of its outer packets, where the host has several addresses. */
  readonly sourceAddress?: Address | undefined
  /** `BackendType` of its lease: how it wants to receive. */
  readonly type: string
  /** What it was a moment ago, with another backend: `leads` while packets still go that way. For the plan alone; no backend looks at it. */
  readonly former?: { readonly peer: Peer; readonly leads: boolean } | undefined
  readonly data: Data
  /**
   * Whether probes prove that packets with addresses of containers get there without a tunnel; undefined while that is not
   * known, and of peers for which no backend asks (`Backend.tries`).
   */
  readonly direct?: boolean | undefined
}

/** A value, or why there is none; `reason` is a short stable word for counting, `detail` the offending value. */
export type Checked<T> = { readonly ok: true; readonly value: T } | Refused

/** Why something was refused. */
export interface Refused {
  readonly ok: false
  readonly reason: string
  readonly detail: string
}

/** The `Backend` section of the network config as a backend reads it: keys are found in any case. */
export interface ConfigSection {
  /** The checked value of a key, or `fallback` when absent. Throws ConfigError with path, value and rule. */
  integer(key: string, fallback: number, min: number, max: number): number
  boolean(key: string, fallback: boolean): boolean
  /** The text of a key; `check` returns the rule that a value breaks. */
  words(key: string, fallback: string, check?: (value: string) => string | undefined): string
  /** Like words, for a value that is never printed; undefined when absent. */
  secret(key: string, check?: (value: string) => string | undefined): Secret | undefined
}

/** A key of a backend's config: its parser holds values to this, docs/reference.md and `flanneld config` show it. */
export interface ConfigKey {
  readonly default: number | boolean | string
  /** The smallest and the largest value of an integer. */
  readonly range?: readonly [min: number, max: number]
  /** The texts it may have. */
  readonly choices?: readonly string[]
  /** Whether its value is never printed. */
  readonly secret?: true
  /** Whether there is no config without it. */
  readonly required?: true
  /** What it is, in a few words. */
  readonly doc: string
  /** What follows on running hosts when it changes; absent: they follow without losing a packet. */
  readonly change?: string
}

/** Keys by name. */
export type ConfigKeys = Readonly<Record<string, ConfigKey>>

/** Something this host must have to run a backend. `key` is the key of the network config that asks for it. */
export type Requirement =
  /** A kernel that can make such a device. */
  | { readonly type: 'link'; readonly key: string; readonly link: LinkType }
  /** A UDP port that no other program has. */
  | { readonly type: 'udp-port'; readonly key: string; readonly port: number }
  /** A file or device node that can be opened for reading and writing. `fix` says what to do when it is missing. */
  | { readonly type: 'file'; readonly key: string; readonly path: string; readonly fix: string }
  /** A program: the first of these paths or names that exists. `fix` says what to install. */
  | { readonly type: 'program'; readonly key: string; readonly names: readonly string[]; readonly fix: string }

/** Something made before the lease is written, because the lease or the plan contains it; the result is a text. */
export type Preparation =
  /** The WireGuard key pair of this host, made when it is not there; gives the public key in base64. */
  | { readonly type: 'wireguard-key'; readonly name: string }
  /** The output of a command; gives its standard output, cut and without the end of line. */
  | {
      readonly type: 'command'
      readonly name: string
      readonly key: string
      readonly command: Command
    }

/** How packets of peers reach this host: what the guard has to keep strangers out of. */
export type Reception =
  | { readonly type: 'vxlan'; readonly device: string; readonly port: number; readonly vni: number }
  | { readonly type: 'udp'; readonly device: string; readonly port: number }
  /** An IP protocol of its own: 4 is IP in IP (RFC 2003). */
  | { readonly type: 'protocol'; readonly device: string; readonly protocol: number }

/** What packets to one peer are wrapped in, as a firewall or a router on the way sees them. */
export interface Wrapping {
  /** Addresses of the outer packets. */
  readonly from: Address
  readonly to: Address
  /** Bytes that it adds to a container's packet, at most. */
  readonly overhead: number
  /** What a firewall has to let through, in its words: "udp 8472", "ip protocol 4". */
  readonly outer: string
  /** The type of the backend that wraps, and whether it encrypts; absent: as the peer's own. */
  readonly by?: string
  readonly encrypted?: boolean
}

export type { Command, Helper, HelperPeer } from './health/outside-kernel.ts'

/** How packets get to peers. One family at a time; nothing in it depends on which. */
export interface Backend<Config, Data> {
  /** The value of `Backend.Type` in the network config and of `BackendType` in leases. */
  readonly type: string
  /**
   * `BackendType` of its leases where that is another backend's, by which hosts without this one reach it. While this is the
   * network's own backend it reads leases of that type.
   */
  readonly leaseType?: string
  /** The families of subnets it carries; absent: all. */
  readonly families?: readonly Family[]
  /** Go's leases of this backend have no `BackendType`: in a network of it, a lease without one is of it. */
  readonly unnamed?: true
  /** Whether packets between hosts are encrypted. */
  encrypts?(config: Config): boolean
  /** Keys the config section may have, by name; others are warned about. */
  readonly configKeys: ConfigKeys
  /** Reads the backend's part of the network config. Throws ConfigError. */
  parseConfig(section: ConfigSection): Config
  /** Why this backend cannot run on this host (say, host-gw behind a NAT), or undefined. */
  refuses(external: ExternalInterface): string | undefined
  /** What this host must have; checked before anything is touched. Absent: nothing. */
  requires?(self: Self<Config>): readonly Requirement[]
  /** What has to be made before our lease is written. Absent: nothing. */
  prepares?(config: Config, network: Prefix, external: ExternalInterface): readonly Preparation[]
  /** How packets of peers arrive that are not authenticated by themselves. Absent: as a VXLAN device among `base` says. */
  receives?(self: Self<Config>): readonly Reception[]
  /** The MTU containers get, in bytes. */
  mtu(self: Self<Config>): number
  /** Whether packets from peers may arrive unwrapped on the external interface. */
  receivesDirectly(config: Config): boolean
  /** Whether the kernel unwraps packets on the external interface, so that those of every peer arrive there, however far it is. */
  readonly unwrapsOnExternal?: true
  /** What our lease says under BackendData; undefined for nothing. */
  leaseData(self: Self<Config>): JsonObject | undefined
  /** BackendData where it is a text. Absent: it is none. */
  leaseText?(self: Self<Config>): string | undefined
  /** Decodes and checks a peer's BackendData. */
  parsePeerData(data: unknown, config: Config): Checked<Data>
  /** The session that has to be there before packets to a peer are sent this way (src/overlay/former-peers.ts); absent or undefined: none. */
  sessionOf?(peer: Pick<Peer<Data>, 'publicAddress' | 'data'>): PeerSession | undefined
  /**
   * Another backend by which a peer with this data may send to us whatever our config is: its devices are kept while there is such a
   * peer. The data may be that which another backend with the same type of leases read. Absent: none.
   */
  sendsAlsoBy?(data: Data): string | undefined
  /** The other backends whose devices are made under this config, with theirs. Absent: none. */
  includes?(config: Config): readonly Configured[]
  /** What no two peers may share (for vxlan the VTEP MAC: the FDB has one place per MAC), or undefined. */
  exclusive(data: Data): string | undefined
  /** Objects our host needs while this backend is ours or any peer receives by it. */
  base(self: Self<Config>): readonly KernelObject[]
  /** What has to run on our host while this backend is ours or any peer receives by it. Absent: nothing. */
  helpers?(self: Self<Config>): readonly Helper[]
  /** What a helper has to know of one peer that receives by this backend; undefined for nothing. Absent: nothing of any. */
  helperPeer?(self: Self<Config>, peer: Peer<Data>): HelperPeer | undefined
  /** The same of a peer that receives by another backend: while ours is this one, or was a moment ago, it sends by this one. */
  helperSender?(self: Self<Config>, peer: Omit<Peer, 'data'>): HelperPeer | undefined
  /** Objects that carry packets to one peer. */
  forPeer(self: Self<Config>, peer: Peer<Data>): Checked<readonly KernelObject[]>
  /**
   * Objects by which packets of a peer arrive that receives by another backend: while ours is this one, or was a moment ago, it sends
   * by this one. Absent: nothing but `base`.
   */
  forSender?(self: Self<Config>, peer: Omit<Peer, 'data'>): readonly KernelObject[]
  /**
   * What packets to a peer are wrapped in, so that probes go the same way: the peer's end of the tunnel has the first address
   * of its subnet. Undefined for one that is reached without, and absent where all are.
   */
  wraps?(self: Self<Config>, peer: Peer<Data>): Wrapping | undefined
  /** Whether probes are to find out if packets get to a peer without a tunnel: `Peer.direct`. Absent: never. */
  tries?(self: Self<Config>, peer: Peer<Data>): boolean
  /** Why packets to a peer go the way they do, for people, where a backend has several ways. */
  explains?(self: Self<Config>, peer: Peer<Data>): string
}

/** A backend whose config and peer data are opaque to the caller. */
export type AnyBackend = Backend<unknown, unknown>

/** One backend with the config it runs under. */
export interface Configured {
  readonly backend: AnyBackend
  readonly config: unknown
}
