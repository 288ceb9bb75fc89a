// How this host is doing, as the daemon tells it: values, gathered when somebody asks. Invariant: it can be asked from the
// first moment of the daemon on; what is not known yet is null; nothing is asked of the network but etcd's health.
import { hostname } from 'node:os'
import type { ExternalInterface } from '../backend.ts'
import type { Store } from '../etcd/store.ts'
import type { Condition } from '../health/conditions.ts'
import { type DeviceCounters, countersOf } from '../host/device-counters.ts'
import type { Stranger } from '../firewall/guard.ts'
import { guardOf, intentOf, ownSelf } from '../overlay/plan.ts'
import { show } from '../kernel/show.ts'
import type { Kind, VxlanLink } from '../kernel/state.ts'
import { countObjects } from './kernel-objects.ts'
import { type RunningDaemon, type Running, whenRunning } from './running-daemon.ts'
import type { Overlay } from '../overlay/overlay.ts'
import { type PeerView, isTrouble, peersOf, worstFirst } from './peers.ts'
import { hostObjects } from '../reconcile/intent.ts'
import { type StoreView, storeOf } from './store.ts'
import { primarySubnet } from '../lease/lease.ts'

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
  readonly ready: boolean
  /** What is missing when not ready, "lease: key deleted" each. */
  readonly reasons: readonly string[]
  readonly store: StoreView
  readonly lease: LeaseStatus | null
  readonly network: NetworkStatus | null
  readonly tunnel: TunnelStatus | null
  readonly kernel: KernelStatus
  readonly firewall: FirewallState | null
  readonly peers: PeerCounts
  /** Peers that are not as they should be and leases whose refusal is a fault, the worst first, 20 at most. */
  readonly troubled: readonly PeerView[]
  /** What holds of this host until it is over, the worst first. */
  readonly conditions: readonly Condition[]
}

/** Our lease. */
interface LeaseStatus {
  readonly subnet: string
  /** Without an end. */
  readonly reserved: boolean
  readonly renewed: number | null
  readonly expires: number | null
}

/** The cluster's network, in subnets. */
interface NetworkStatus {
  readonly cidr: string
  readonly total: number
  /** Leased, reserved, or named by a lease that is refused. */
  readonly used: number
}

/** How packets to peers leave; without a device of its own (host-gw, alloc) there are no counters. */
interface TunnelStatus {
  readonly type: string
  /** Bytes of a container's packet. */
  readonly mtu: number
  readonly device: string | null
  readonly vni: number | null
  /** UDP port. */
  readonly port: number | null
  readonly rxBytes: number | null
  readonly txBytes: number | null
  /** Packets. */
  readonly drops: number | null
  /** Peers to which packets of this MTU are known to get. */
  readonly proven: number
}

/** What we want of the kernel, and how it is. */
interface KernelStatus {
  readonly wanted: number | null
  readonly right: number | null
  /** Changes the kernel refuses at the moment. */
  readonly failing: number
  /** Foreign objects where ours should be; `text` in iproute2's words. */
  readonly conflicts: readonly { readonly kind: Kind; readonly text: string }[]
  /** When everything was last compared. */
  readonly audited: number | null
  /** Objects put right in the last 24 hours that somebody else had changed. */
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

/** The guard of the VXLAN port. */
export interface GuardState {
  readonly port: number
  readonly peers: number
  /** Packets of hosts that are no peers, dropped; null when nft does not tell. */
  readonly unknownSenders: number | null
  /** Who sent them, of late: the most packets first. */
  readonly strangers: readonly Stranger[]
  readonly error: string | null
}

/** How many peers are in each state; `total` is all but the refused leases. */
interface PeerCounts extends Readonly<Record<PeerView['state'], number>> {
  readonly total: number
  /** Peers and refused leases that are no mere remark. */
  readonly inTrouble: number
}

/** So many are named. */
const TROUBLED = 20

/** Gathers it. */
export async function statusOf(daemon: RunningDaemon): Promise<Status> {
  const { version, since, readiness } = daemon
  const running = whenRunning(daemon)
  const external = externalOf(daemon)
  const peers = peersOf(daemon)
  const [store, lease, tunnel, kernel, firewall] = await Promise.all([
    storeOf(daemon),
    running === undefined ? null : leaseOf(running),
    running === undefined ? null : tunnelOf(running.overlay, peers),
    kernelOf(daemon),
    running === undefined ? null : firewallOf(running),
  ])
  return {
    version,
    pid: process.pid,
    host: hostname(),
    since,
    interface: external?.name ?? null,
    address: external?.publicAddress ?? null,
    ready: readiness.ready,
    reasons: readiness.reasons,
    store,
    lease,
    network: running === undefined ? null : networkOf(running),
    tunnel,
    kernel,
    firewall,
    peers: countsOf(peers),
    troubled: worstFirst(peers.filter(isTrouble)).slice(0, TROUBLED),
    conditions: daemon.conditions.all,
  }
}

function externalOf(daemon: RunningDaemon): ExternalInterface | undefined {
  switch (daemon.phase) {
    case 'starting':
      return undefined
    case 'joining':
      return daemon.host.external
    case 'running':
      return daemon.overlay.inputs.external
  }
}

async function leaseOf({ keeper, store, etcd }: Running): Promise<LeaseStatus> {
  const own = keeper.own()
  const { etcdLease } = own
  const reserved = etcdLease === '0'
  const renewal = keeper.renewal()
  const known = reserved ? undefined : (renewal.expires ?? (await askEnd(store, etcdLease, etcd.usualMs)))
  return { subnet: primarySubnet(own), reserved, renewed: reserved ? null : renewal.at, expires: known ?? null }
}

/** A lease that was just taken over has not been renewed by us yet. */
async function askEnd(store: Store, etcdLease: string, usualMs: number): Promise<number | undefined> {
  const enough = Math.min(8000, Math.max(1000, usualMs * 3))
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, enough, undefined).unref())
  const time = await Promise.race([store.timeToLive(etcdLease).catch(() => undefined), limit])
  return time === undefined ? undefined : Date.now() + time.remaining * 1000
}

function networkOf({ census, options, overlay }: Running): NetworkStatus {
  const { inputs } = overlay
  const { range } = inputs.configuration
  const { leased, reserved, refused, free } = census.usage(options.etcdPrefix, range, inputs.subnet)
  const used = leased + reserved + refused
  return { cidr: range.network, total: used + free, used }
}

async function tunnelOf({ inputs }: Overlay, peers: readonly PeerView[]): Promise<TunnelStatus> {
  const { backend } = inputs.configuration.own
  const mtu = backend.mtu(ownSelf(inputs))
  const found = hostObjects(intentOf(inputs)).find(({ kind }) => kind === 'link')
  const link = found?.kind === 'link' ? found : undefined
  const counters = link && (await countersOf(link.name).catch(() => undefined))
  return {
    type: backend.type,
    mtu,
    ...deviceOf(link),
    ...trafficOf(counters),
    proven: peers.filter(({ pathMtu }) => pathMtu !== null && pathMtu >= mtu).length,
  }
}

function deviceOf(link: VxlanLink | undefined): Pick<TunnelStatus, 'device' | 'vni' | 'port'> {
  return { device: link?.name ?? null, vni: link?.vni ?? null, port: link?.port ?? null }
}

function trafficOf(counters: DeviceCounters | undefined): Pick<TunnelStatus, 'rxBytes' | 'txBytes' | 'drops'> {
  return { rxBytes: counters?.rxBytes ?? null, txBytes: counters?.txBytes ?? null, drops: counters?.drops ?? null }
}

async function kernelOf(daemon: RunningDaemon): Promise<KernelStatus> {
  const { report, conflicts } = daemon.reconciler
  const counts = await countObjects(daemon)
  const sum = (states: readonly string[]): number | null =>
    counts?.reduce((total, { state, count }) => (states.includes(state) ? total + count : total), 0) ?? null
  return {
    wanted: sum(['right', 'refused', 'conflict']),
    right: sum(['right']),
    failing: report.failing,
    conflicts: conflicts.map(({ found }) => ({ kind: found.kind, text: show(found) })),
    audited: report.lastAudit === 0 ? null : report.lastAudit,
    repairs: report.lately.count(),
    lastRepair: report.lastRepair ?? null,
  }
}

async function firewallOf({ firewall, guard, options, overlay }: Running): Promise<FirewallState> {
  const { inputs, peers } = overlay
  const status = firewall.status()
  const pass = status.passes.get(4)
  const tables = inputs.configuration.network.enableNFTables
  const right = status.state === 'right'
  const wanted = guardOf(inputs, peers.values())
  const dropped = wanted === undefined ? undefined : await guard.dropped()
  return {
    backend: tables ? 'nftables' : pass === undefined ? null : `iptables-${pass.iptables.variant}`,
    forward: options.iptablesForwardRules ? right : null,
    docker: options.iptablesForwardRules && pass?.docker.user === true ? right : null,
    masquerade: options.ipMasq ? right : null,
    error: status.error ?? null,
    guard:
      wanted === undefined
        ? null
        : {
            port: wanted.port,
            peers: peers.size,
            unknownSenders: dropped === undefined ? null : Number(dropped),
            strangers: dropped ? (await guard.strangers()).slice(0, TROUBLED) : [],
            error: guard.error() ?? null,
          },
  }
}

function countsOf(peers: readonly PeerView[]): PeerCounts {
  const counts = { up: 0, degraded: 0, unreachable: 0, unknown: 0, refused: 0 }
  for (const { state } of peers) counts[state]++
  return { total: peers.length - counts.refused, inTrouble: peers.filter(isTrouble).length, ...counts }
}
