// How the daemon runs once it has a lease: from here on it writes to the kernel, the firewall and subnet.env.
import { valuesOf } from '../ip/by-family.ts'
import { DockerBridge } from '../host/docker-bridge.ts'
import { createFirewall } from '../firewall/firewall.ts'
import { createGuard } from '../firewall/nftables/guard.ts'
import { HELPER_TYPES, helperDriver } from '../helpers/helper-drivers.ts'
import { Helpers } from '../helpers/supervision.ts'
import { guardsOf } from '../obstacles/found-devices.ts'
import { HostFollower, audit } from './host-changes.ts'
import { type Prefix, addressOf, contains } from '../ip/prefix.ts'
import type { PeerSession } from '../kernel/peer-session.ts'
import { type MonitorOptions, startMonitor } from '../kernel/monitor.ts'
import { type WatchedPeers, watchPeers } from '../kernel/watch-peers.ts'
import { locksOf, obstacleTo } from '../obstacles/obstacles.ts'
import { onHangup } from '../process/signals.ts'
import { prepareAgain } from './prepare.ts'
import { staySmall } from './release-memory.ts'
import { startProber } from './start-prober.ts'
import { Session } from '../overlay/session.ts'
import type { SessionHost } from '../overlay/session-parts.ts'
import { type Sessions, peerAt } from '../overlay/sessions.ts'
import { RefusedLeases } from './refused-leases.ts'
import { reporter } from '../health/reporter.ts'
import type { DaemonContext } from './context.ts'
import { type LeasedHost, waitOut } from './join.ts'
import { follow } from './follow-etcd.ts'

/** Runs until the signal aborts. The kernel stays as it is then. */
export async function runLeased(leased: LeasedHost, context: DaemonContext, holdMs: number | undefined): Promise<void> {
  const { cell, kernel, reconciler, readiness, supervisor, conditions, options, log, signal } = context
  const { firewall, guard } = makeFirewall(leased, context)
  const isConnected = (session: PeerSession): Promise<boolean> => kernel.isConnected(session)
  const strangers = { dropped: options.vxlanGuard, but: options.vxlanGuardAllow }
  const supervising = { drivers: helperDriver, types: HELPER_TYPES, conditions, strangers }
  const helpers = new Helpers({ ...supervising, log: log.part('helpers') })
  const session = await startSession({ reconciler, firewall, guard, helpers, isConnected }, leased, context)
  const sessions: Sessions = [session]
  const reconciling = reconciler.run(signal)
  const follower = followHost(session, leased, context)
  await waitOut(() => startMonitor(kernel, monitoring(sessions, follower, context), signal), context)
  void follower.look()
  void audit({ reconciler, sessions, look: follower.look, seconds: options.auditInterval, signal })
  onHangup(() => void prepareAgain(session, log.part('overlay')), signal)
  void watchPeers(peersWatched(sessions, context), signal)
  staySmall(readiness, supervisor.part('memory'), signal)
  const { store } = leased
  const prober = startProber(sessions, context)
  cell.enter({ ...cell.current(), phase: 'running', store, sessions, guard, firewall, helpers, prober })
  await session.update({})
  await followEtcd(session, follower, leased, context, holdMs)

  for (const one of sessions) one.stop()
  firewall.stop()
  guard.stop()
  await Promise.all([reconciling, helpers.stop()])
}

/** The firewall and the guard of this host, for all its networks; they write nothing yet. */
function makeFirewall(
  { previous, devices }: LeasedHost,
  { options, log, events }: DaemonContext,
): Pick<SessionHost, 'firewall' | 'guard'> {
  const firewallLog = reporter('firewall', log.part('firewall'), events)
  const resyncSeconds = options.iptablesResync
  const networks = networksOf(previous)
  return {
    firewall: createFirewall({ log: firewallLog, resyncSeconds, previous: networks }),
    guard: createGuard({ log: firewallLog, resyncSeconds, previous: guardsOf(devices.names), networks }),
  }
}

/** The session of the network that the flags name. It keeps the lease; the kernel waits for its first update. */
async function startSession(host: SessionHost, leased: LeasedHost, context: DaemonContext): Promise<Session> {
  const { kernel, options, readiness, backends, events, log, signal } = context
  const { store, devices, locks, inputs, lease } = leased
  const nexthopsKnown = await waitOut(() => kernel.hasNexthops(), context)
  const keeping = { log: reporter('lease', log.part('lease'), events), signal }
  const session = new Session(
    {
      host,
      lease: { store, prefix: options.etcdPrefix, lease, options: keeping },
      found: { ...devices, nexthopsKnown },
      backends,
      readiness,
      log: log.part('overlay'),
    },
    inputs,
  )
  // A device that another config gave up is no longer ours alone.
  session.onChange(() => {
    locks.keep(locksOf(session.inputs.configuration, session.inputs.externals))
  })
  return session
}

/** The networks and subnets of the run before. */
function networksOf(previous: LeasedHost['previous']): readonly Prefix[] {
  return previous === undefined ? [] : [...valuesOf(previous.networks), ...valuesOf(previous.subnets)]
}

function followHost(session: Session, { host, store, previous }: LeasedHost, context: DaemonContext): HostFollower {
  const { kernel, options, conditions, supervisor, log, signal } = context
  const bridge = new DockerBridge(networksOf(previous), log.part('docker'))
  const look = supervisor.part('docker').guard((...of: Parameters<typeof bridge.look>) => {
    bridge.look(...of)
  })
  return new HostFollower({
    kernel,
    store,
    options,
    session,
    dockerBridge: { look },
    conditions,
    log: log.part('host'),
    signal,
    homes: host.homes,
  })
}

/** What the kernel's notifications are held against, and what follows from them. */
function monitoring(
  sessions: Sessions,
  follower: HostFollower,
  { kernel, reconciler, log }: DaemonContext,
): MonitorOptions {
  return {
    isOurDevice: (name) => reconciler.isOurDevice(name),
    isExternalDevice: (device, address) => follower.concerns(device, address),
    isPeersVtep: (address) => {
      const peer = peerAt(sessions, address)
      return peer !== undefined && addressOf(peer.subnet) === address
    },
    isOurNetwork: (destination) =>
      sessions.some(({ inputs }) =>
        valuesOf(inputs.configuration.ranges).some(({ network }) => contains(network, destination)),
      ),
    onDrift: (drift) => void reconciler.drift(drift),
    onFailure: (error) => {
      log.part('kernel').warn(`notifications: ${error.message}: opening another socket, then reading everything again`)
    },
    onExternalChange: (what, routesOver) => {
      kernel.forgetRoutes()
      if (sessions.some(({ inputs }) => valuesOf(inputs.externals).some(({ name }) => name === routesOver)))
        reconciler.drift({ type: 'drift', kind: 'route', what })
      void follower.look()
    },
  }
}

/** The peers whose changes nobody reports. */
function peersWatched(sessions: Sessions, { kernel, reconciler }: DaemonContext): WatchedPeers {
  return {
    kernel,
    devices: () =>
      sessions.flatMap(({ plan }) =>
        plan.objects.flatMap((object) => (object.kind === 'link' && object.type === 'wireguard' ? [object.name] : [])),
      ),
    onDrift: (drift) => void reconciler.drift(drift),
  }
}

/** Follows the config and the leases until the signal aborts. */
function followEtcd(
  session: Session,
  host: HostFollower,
  { store, listing, obstacles }: LeasedHost,
  context: DaemonContext,
  holdMs: number | undefined,
): Promise<void> {
  const { options, backends, reconciler, readiness, leaseStats, conditions, supervisor, events, log, signal } = context
  const refused = new RefusedLeases(leaseStats, conditions)
  const take = supervisor.part('census').guard((...step: Parameters<RefusedLeases['take']>) => {
    refused.take(...step)
  })
  return follow({
    store,
    listing,
    options,
    backends,
    session,
    reconciler,
    readiness,
    leaseStats: { take },
    conditions,
    events,
    admits: async (next) => {
      const externals = await host.externalsFor(next)
      if (typeof externals === 'string') return externals
      const isOurs = (name: string): boolean => reconciler.isOurDevice(name)
      return (await obstacleTo(next, { ...obstacles, externals, isOurs })) ?? externals
    },
    log,
    signal,
    holdMs,
  })
}
