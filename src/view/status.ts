// How this host is doing, as values, gathered by each examination of the host. Invariant: it can be asked from the
// first moment of the daemon on; what is not known yet is null; nothing is asked of the network but etcd's health.
import { FAMILIES } from '../ip/by-family.ts'
import type { FirewallState, GuardState, KernelStatus, LeaseStatus, Status } from './status-shape.ts'
import { hostname } from 'node:os'
import type { Store } from '../etcd/store.ts'
import { showObject } from '../kernel/show.ts'
import type { Guard } from '../firewall/nftables/guard.ts'
import { type Guarded, tableOf } from '../firewall/nftables/guard-ruleset.ts'
import { countObjects } from './kernel-objects.ts'
import { type RunningDaemon, type Running, primarySession, whenRunning } from './running-daemon.ts'
import { NO_PEERS, summaryOf } from './peer-summary.ts'
import { familiesOfHost } from './host-families.ts'
import { storeOf } from './store.ts'
import { tunnelOf } from './tunnel.ts'
import { primarySubnet } from '../lease/lease.ts'

/** The most strangers that are named. */
const STRANGERS = 20

/** Gathers it. */
export async function statusOf(daemon: RunningDaemon): Promise<Status> {
  const { version, since, readiness } = daemon
  const running = whenRunning(daemon)
  const families = familiesOfHost(daemon)
  const [shown] = families
  const peers = running === undefined ? NO_PEERS : await summaryOf(running)
  const [store, lease, tunnel, kernel, firewall] = await Promise.all([
    storeOf(daemon),
    running === undefined ? null : leaseOf(running),
    running === undefined ? null : tunnelOf(primarySession(running).plan, peers.proven),
    kernelOf(daemon),
    running === undefined ? null : firewallOf(running),
  ])
  return {
    version,
    pid: process.pid,
    host: hostname(),
    since,
    interface: shown?.interface ?? null,
    address: shown?.address ?? null,
    families,
    ready: readiness.ready,
    reasons: readiness.reasons,
    unready: readiness.unready,
    store,
    lease,
    network: shown?.network ?? null,
    tunnel,
    kernel,
    firewall,
    helpers: running?.helpers.status ?? [],
    peers: peers.counts,
    troubled: peers.troubled,
    conditions: daemon.conditions.all,
  }
}

async function leaseOf(running: Running): Promise<LeaseStatus> {
  const { store, etcd } = running
  const { lease } = primarySession(running)
  const own = lease.own()
  const { etcdLease } = own
  const reserved = etcdLease === '0'
  const renewal = lease.renewal()
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

async function kernelOf(daemon: RunningDaemon): Promise<KernelStatus> {
  const { report, conflicts } = daemon.reconciler
  const counts = await countObjects(daemon)
  const sum = (states: readonly string[]): number | null =>
    counts?.reduce((total, { state, count }) => (states.includes(state) ? total + count : total), 0) ?? null
  return {
    wanted: sum(['right', 'refused', 'conflict']),
    right: sum(['right']),
    failing: report.failing,
    conflicts: conflicts.map(({ found }) => ({ kind: found.kind, text: showObject(found) })),
    audited: report.lastAudit === 0 ? null : report.lastAudit,
    repairs: report.lately.count(),
    lastRepair: report.lastRepair ?? null,
  }
}

async function firewallOf(running: Running): Promise<FirewallState> {
  const { firewall, guard, options } = running
  const { plan, peers } = primarySession(running)
  const status = firewall.status()
  const [pass] = FAMILIES.flatMap((family) => status.passes.get(family) ?? [])
  const tables = plan.inputs.configuration.network.enableNFTables
  const right = status.state === 'right'
  const wanted = plan.guard
  return {
    backend: tables ? 'nftables' : pass === undefined ? null : `iptables-${pass.iptables.variant}`,
    forward: options.iptablesForwardRules ? right : null,
    docker: options.iptablesForwardRules && pass?.docker.user === true ? right : null,
    masquerade: options.ipMasq ? right : null,
    error: status.error ?? null,
    guard: wanted === undefined ? null : await guardOf(wanted, guard, peers.size),
  }
}

async function guardOf(wanted: Guarded, guard: Guard, peers: number): Promise<GuardState> {
  const { arrival } = wanted.devices[0]
  const dropped = await guard.dropped()
  return {
    port: arrival.type === 'protocol' ? null : arrival.port,
    protocol: arrival.type === 'protocol' ? arrival.protocol : null,
    table: tableOf(wanted),
    peers,
    unknownSenders: dropped === undefined ? null : Number(dropped),
    strangers: dropped ? (await guard.strangers()).slice(0, STRANGERS) : [],
    error: guard.error() ?? null,
  }
}
