// Everything doctor's checks judge by, as plain values: gathered at the rim (gather.ts), written into a bundle as they are.
// Invariant: no secret is in here; a password is not even gathered.
import { type Known, type PublicOptions } from './known.ts'
import { type StoreFacts } from './stored.ts'
import type { ExternalInterface } from '../backend.ts'
import type { HostNetwork } from '../kernel/host-network.ts'
import type { Family } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { KernelState, Kind } from '../kernel/state.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import type { FoundSubnetEnv } from '../host/subnet-env.ts'
import type { DaemonFacts } from './daemon-facts.ts'
import type { ExpectedPlan } from './expected-state.ts'
import type { SecurityAssociation } from '../netlink/xfrm-state.ts'

/** All facts. */
export interface Facts {
  /** This host's clock, milliseconds since 1970. */
  readonly now: number
  /** The daemon's own when it answers, else those given. */
  readonly options: PublicOptions
  /** The peer it is about; undefined for all. */
  readonly target: NamedPeer | undefined
  readonly daemon: DaemonState
  readonly store: StoreFacts
  readonly endpoints: readonly EndpointFacts[]
  readonly credentials: CredentialFacts | undefined
  readonly host: HostFacts
  /** What this host should have, by etcd and its own interfaces. */
  readonly plan: Known<ExpectedPlan>
  readonly firewall: FirewallFacts
  readonly probes: ProbeFacts
}

/** The host named on the command line; no subnets when no lease has the address. */
export interface NamedPeer {
  readonly text: string
  /** One for each of its families. */
  readonly subnets: readonly Prefix[]
}

/** `silent`: its socket takes connections, no answer comes, or none that makes sense. */
export type DaemonState =
  | { readonly state: 'answers'; readonly facts: DaemonFacts }
  | { readonly state: 'silent'; readonly socket: string; readonly why: string }
  | { readonly state: 'absent'; readonly socket: string }

/** What an endpoint's web server answers without a password. */
export interface EndpointFacts {
  readonly url: string
  /** Its clock minus ours, milliseconds, to within a second. */
  readonly clockAheadMs: number | undefined
  /** When its certificate ends, milliseconds since 1970. */
  readonly certificateEnds: number | undefined
  readonly error: string | undefined
}

/** Our own TLS files. */
export interface CredentialFacts {
  /** Why they are of no use. */
  readonly error: string | undefined
  readonly certificates: readonly {
    readonly flag: string
    readonly file: string
    readonly subject: string
    /** Milliseconds since 1970. */
    readonly begins: number
    readonly ends: number
  }[]
}

/** This host. */
export interface HostFacts {
  readonly hostId: string
  readonly network: HostNetwork
  /** The interface for outer packets of each family. */
  readonly externals: Readonly<Record<Family, Known<ExternalInterface>>>
  /** What the kernel has, by kind. */
  readonly kernel: ReadonlyMap<Kind, KernelState>
  /** Values under /proc/sys by path ("net/ipv4/ip_forward"); one that is not there is missing. */
  readonly sysctls: ReadonlyMap<string, string>
  /** Whether the kernel knows devices of kind vxlan, by its own answer. */
  readonly vxlan: Known<boolean>
  /** What the backend requires and this host does not have, each with what to do. */
  readonly lacks: Known<readonly string[]>
  /** The file of WireGuard's private key, and its mode; undefined where there is none. */
  readonly keyFile: { readonly path: string; readonly mode: number | undefined }
  /** The last WireGuard handshake with each peer, by public key; milliseconds since 1970, 0: never. */
  readonly handshakes: ReadonlyMap<string, number>
  /** IPsec's, of this host's tunnels: the ends of each. */
  readonly associations: Known<readonly Pick<SecurityAssociation, 'from' | 'to'>[]>
  readonly udpSockets: readonly UdpSocket[]
  /** Devices that leave the sums of inner packets to the hardware (tx-checksum-ip-generic); missing: not known. */
  readonly checksumOffload: ReadonlyMap<string, boolean>
  readonly subnetEnv: Known<FoundSubnetEnv | undefined>
}

/** A bound UDP socket. */
export interface UdpSocket {
  readonly port: number
  readonly inode: number
  /** The program that has it, "name (pid 7)"; undefined for the kernel's own, and where it cannot be found. */
  readonly owner: string | undefined
}

/** The rules there are. */
export interface FirewallFacts {
  /** What iptables-save and ip6tables-save print of the tables in use. */
  readonly iptables: Readonly<Record<Family, Known<string>>>
  /** What `nft -j list ruleset` prints. */
  readonly nft: Known<string>
}

/** How packets fare. */
interface ProbeFacts {
  /** By the daemon's prober. */
  readonly peers: Known<ReadonlyMap<Prefix, PeerHealth>>
  /** By subnet: what became of datagrams with the sum left to the hardware, and with one made by us. */
  readonly checksums: Known<ReadonlyMap<Prefix, ChecksumProbe>>
}

/** Which of two like datagrams the peer answered. */
export interface ChecksumProbe {
  readonly offloaded: boolean
  readonly ready: boolean
}
