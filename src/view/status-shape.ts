// What the status of a host is made of: values for JSON. Times are milliseconds since 1970; null is what is not known or not there.
import type { Stranger } from '../firewall/nftables/guard.ts'
import type { EndpointHealth } from '../etcd/endpoint-health.ts'
import type { HelperStatus } from '../helpers/slot.ts'
import type { Condition, Level } from '../health/conditions.ts'
import type { Family } from '../ip/address.ts'
import type { Unready } from '../health/readiness.ts'
import type { Kind } from '../kernel/state.ts'
import type { Cause } from '../probe/peer-health.ts'

/** What the control socket answers at /v1/status. Times are milliseconds since 1970; null is what is not known or not there. */
export interface Status {
  readonly version: string
  readonly pid: number
  /** This host's name. */
  readonly host: string
  readonly since: number
  readonly interface: string | null
  /** What other hosts reach us by. */
  readonly address: string | null
  /** This host in each of its families, the one first that `interface`, `lease` and `network` show. */
  readonly families: readonly HostFamily[]
  readonly ready: boolean
  /** What is missing when not ready, "lease: key deleted" each. */
  readonly reasons: readonly string[]
  /** The same for programs. */
  readonly unready: readonly Unready[]
  readonly store: StoreView
  readonly lease: LeaseStatus | null
  readonly network: NetworkStatus | null
  readonly tunnel: TunnelStatus | null
  readonly kernel: KernelStatus
  readonly firewall: FirewallState | null
  /** What runs outside the kernel for the backends in use; empty where they need nothing. */
  readonly helpers: readonly HelperStatus[]
  readonly peers: PeerCounts
  /** Peers in trouble and leases whose refusal is a fault, the worst first, 20 at most. */
  readonly troubled: readonly PeerView[]
  /** What holds of this host until it is over, the worst first. */
  readonly conditions: readonly Condition[]
}

/** This host in one family. Null is what there is not yet. */
export interface HostFamily {
  readonly family: Family
  readonly interface: string | null
  /** What other hosts reach us by. */
  readonly address: string | null
  readonly subnet: string | null
  readonly network: NetworkStatus | null
}

/** Our lease. */
export interface LeaseStatus {
  readonly subnet: string
  /** Without an end. */
  readonly reserved: boolean
  readonly renewed: number | null
  readonly expires: number | null
}

/** The cluster's network, in subnets. */
export interface NetworkStatus {
  readonly cidr: string
  readonly total: number
  /** Leased, reserved, or named by a lease that is refused. */
  readonly used: number
}

/** How packets to peers leave; without a device of its own (host-gw, alloc) there are no counters. */
export interface TunnelStatus extends Omit<DeviceStatus, 'device'> {
  /** The backend. */
  readonly type: string
  /** Whether what it carries is encrypted. */
  readonly encrypted: boolean
  /** Bytes of a container's packet. */
  readonly mtu: number
  readonly device: string | null
  /** Every device of ours, `device` first: one for each family, and those of other backends that peers use. */
  readonly devices: readonly DeviceStatus[]
  /** Peers to which packets of this MTU are known to get. */
  readonly proven: number
}

/** A device of ours. */
export interface DeviceStatus {
  readonly device: string
  /** As ip-link(8) names it. */
  readonly type: string
  /** Bytes. */
  readonly mtu: number
  readonly vni: number | null
  /** UDP port. */
  readonly port: number | null
  readonly rxBytes: number | null
  readonly txBytes: number | null
  /** Packets. */
  readonly drops: number | null
}

/** What we want of the kernel, and how it is. */
export interface KernelStatus {
  readonly wanted: number | null
  readonly right: number | null
  /** Changes the kernel refuses at the moment. */
  readonly failing: number
  /** Foreign objects where ours should be; `text` in iproute2's words. */
  readonly conflicts: readonly { readonly kind: Kind; readonly text: string }[]
  /** When everything was last compared. */
  readonly audited: number | null
  /** Objects repaired in the last 24 hours after another program changed them. */
  readonly repairs: number
  readonly lastRepair: { readonly at: number; readonly text: string } | null
}

/** How the firewall is; null is what is not wanted, or has no place here. */
export interface FirewallState {
  readonly backend: 'iptables-nft' | 'iptables-legacy' | 'nftables' | null
  /** Whether the rules for forwarding are in place. */
  readonly forward: boolean | null
  /** Those ahead of Docker's; null where there is no Docker. */
  readonly docker: boolean | null
  readonly masquerade: boolean | null
  readonly error: string | null
  readonly guard: GuardState | null
}

/** The guard of what peers send to. */
export interface GuardState {
  /** The UDP port; null where packets arrive by an IP protocol of their own. */
  readonly port: number | null
  /** The number of that IP protocol: 4 is IP in IP. */
  readonly protocol: number | null
  /** The name of the nftables table, in family inet. */
  readonly table: string
  readonly peers: number
  /** Packets of hosts that are no peers, dropped; null when nft does not answer. */
  readonly unknownSenders: number | null
  /** Who sent them recently, the most packets first. */
  readonly strangers: readonly Stranger[]
  readonly error: string | null
}

/** Null is what is not known, or not there. Times are milliseconds since 1970. */
export interface StoreView {
  readonly endpoints: readonly EndpointHealth[]
  /** Whether the watch is alive; before there is one, whether the last call was answered. */
  readonly connected: boolean
  /** The revision up to which changes are known; int64, decimal. */
  readonly revision: string | null
  /** Since when the watch is alive, or not: as `connected` says. */
  readonly since: number | null
  /** `mutual`: we show a certificate too. */
  readonly tls: 'none' | 'server' | 'mutual'
  readonly certificateEnds: number | null
  /** What failed last, whether or not it is over. */
  readonly error: { readonly at: number; readonly text: string } | null
}

/** How many peers are in each state; `total` is all but the refused leases. */
export interface PeerCounts extends Readonly<Record<PeerView['state'], number>> {
  readonly total: number
  /** Peers and refused leases that are no mere remark. */
  readonly inTrouble: number
}

/** A peer, or a lease that is refused; of a host with two families what is the worse of both. Null is what is not known. */
export interface PeerView extends Omit<FamilyView, 'family'> {
  /** The backend that its lease names; null in a refused lease. */
  readonly type: string | null
  /** Whether packets to it are encrypted on their way, in all its families; null: not known, or nothing is sent. */
  readonly encrypted: boolean | null
  /** How much it matters that its lease is refused; null where it is not. */
  readonly level: Level | null
  /** Of a host with two families each by itself; else empty. */
  readonly families: readonly FamilyView[]
}

/** A peer in one family. Null is what is not known. */
export interface FamilyView {
  readonly family: Family
  readonly subnet: string
  readonly publicAddress: string | null
  /** How packets go there: `vxlan` and so on in its tunnel, `direct` past it by a plain route; empty: not at all. */
  readonly via: string
  /** Why they go so, for people; empty where the backend has no choice. */
  readonly why: string
  /** `unknown`: not probed, or not yet. `refused`: its lease is not believed, nothing is sent there. */
  readonly state: 'up' | 'degraded' | 'unreachable' | 'unknown' | 'refused'
  /** Milliseconds there and back. */
  readonly rttMs: number | null
  /** Lost probes, 0 to 1. */
  readonly loss: number | null
  /** Bytes of the largest packet that gets there. */
  readonly pathMtu: number | null
  /** Since when it is in this state; milliseconds since 1970. */
  readonly since: number | null
  /** What is wrong, in a word; null: not known, or no fault. */
  readonly cause: Exclude<Cause, 'none'> | null
  /** What is wrong, for people; empty when nothing is. */
  readonly note: string
}
