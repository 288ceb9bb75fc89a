// How the daemon runs once it has a lease: from here on it writes to the kernel, the firewall and subnet.env.
import { DockerBridge } from '../host/docker-bridge.ts'
import { createFirewall } from '../firewall/firewall.ts'
import { createGuard } from '../firewall/nftables/guard.ts'
import { HostFollower, audit } from './host-changes.ts'
import { claimOf } from '../overlay/plan.ts'
import { parseAddress } from '../ip/address.ts'
import { contains } from '../ip/prefix.ts'
import { type MonitorOptions, startMonitor } from '../kernel/monitor.ts'
import { encodeValue } from '../lease/codec.ts'
import { keepLease } from '../lease/keep.ts'
import { leaseNews } from './lease-events.ts'
import { locksOf, obstacleTo } from '../obstacles/obstacles.ts'
import { staySmall } from './release-memory.ts'
import { startProber } from './start-prober.ts'
import { Overlay } from '../overlay/overlay.ts'
import { RefusedLeases } from './refused-leases.ts'
import { reporter } from '../health/reporter.ts'
import type { DaemonContext } from './context.ts'
import { type Leased, waitOut } from './join.ts'
import { follow } from './follow-etcd.ts'
import type { Running } from '../view/running-daemon.ts'
import { onlySubnet } from '../ip/by-family.ts'
import { primaryRange } from '../network-config/configuration.ts'
import { networkIn, subnetIn } from '../host/subnet-env.ts'

/** Runs until the signal aborts. The kernel stays as it is then. */
export async function run(leased: Leased, context: DaemonContext, holdMs: number | undefined): Promise<void> {
  const { cell, kernel, reconciler, readiness, supervisor, options, signal } = context
  const made = await makeParts(leased, context)
  const { overlay, firewall, guard } = made
  const reconciling = reconciler.run(signal)
  const follower = followHost(overlay, leased, context)
  await waitOut(() => startMonitor(kernel, monitoring(overlay, follower, context), signal), context)
  void follower.look()
  void audit(reconciler, overlay, follower.look, options.auditInterval, signal)
  staySmall(readiness, supervisor.part('memory'), signal)
  const running = {
    ...context.cell.current(),
    ...made,
    phase: 'running',
    prober: startProber(overlay, context),
  } as const
  cell.enter(running)
  await overlay.update({})
  await followEtcd(running, leased, context, holdMs)

  overlay.stop()
  firewall.stop()
  guard.stop()
  await reconciling
}

type Made = Pick<Running, 'store' | 'keeper' | 'overlay' | 'firewall' | 'guard'>

/** Everything the daemon runs; nothing of it writes yet. */
async function makeParts(leased: Leased, context: DaemonContext): Promise<Made> {
  const { kernel, options, readiness, reconciler, backends, log, signal } = context
  const { store, previous, devices, locks, inputs, claim, lease } = leased
  const firewallLog = reporter('firewall', log.part('firewall'), context.events)
  const resyncSeconds = options.iptablesResync
  const firewall = createFirewall({ log: firewallLog, resyncSeconds, previous: networksOf(previous) })
  const vnis = devices.names.map((name) => Number(name.slice('flannel.'.length)))
  const guard = createGuard({ log: firewallLog, resyncSeconds, previous: vnis })
  const nexthopsKnown = await waitOut(() => kernel.hasNexthops(), context)
  const events = leaseNews(readiness, () => overlay)
  const keeping = { log: reporter('lease', log.part('lease'), context.events), signal }
  const keeper = keepLease({ store, prefix: options.etcdPrefix, claim, lease, events, options: keeping })
  const overlay = new Overlay(
    {
      reconciler,
      firewall,
      guard,
      standing: devices.standing,
      readiness,
      log: log.part('overlay'),
      backends,
      nexthopsKnown,
      publish: (value) => {
        const same = encodeValue(keeper.own().value) === encodeValue(value)
        if (!same) keeper.publish(claimOf(overlay.inputs, onlySubnet(overlay.inputs.subnet)))
      },
    },
    inputs,
  )
  // A device that another config gave up is no longer ours alone.
  overlay.onChange(() => {
    locks.keep(locksOf(overlay.inputs.configuration, overlay.inputs.external))
  })
  return { store, keeper, overlay, firewall, guard }
}

function networksOf(previous: Leased['previous']): NonNullable<Parameters<typeof createFirewall>[0]['previous']> {
  return [networkIn(previous), subnetIn(previous)].filter((prefix) => prefix !== undefined)
}

function followHost(overlay: Overlay, { host, store, previous }: Leased, context: DaemonContext): HostFollower {
  const { kernel, options, conditions, supervisor, log, signal } = context
  const bridge = new DockerBridge(networksOf(previous), log.part('docker'))
  const look = supervisor.part('docker').guard((...of: Parameters<typeof bridge.look>) => {
    bridge.look(...of)
  })
  return new HostFollower({
    kernel,
    store,
    options,
    overlay,
    dockerBridge: { look },
    conditions,
    log: log.part('host'),
    signal,
    home: host.home,
  })
}

/** What the kernel's notifications are held against, and what follows from them. */
function monitoring(
  overlay: Overlay,
  follower: HostFollower,
  { kernel, reconciler, log }: DaemonContext,
): MonitorOptions {
  return {
    isOurDevice: (name) => reconciler.isOurDevice(name),
    isExternalDevice: (device, address) => follower.concerns(device, address),
    isWanted: (key) => isPeersNeighbor(key, overlay),
    isOurNetwork: (destination) => contains(primaryRange(overlay.inputs.configuration).network, destination),
    onDrift: (drift) => void reconciler.drift(drift),
    onFailure: (error) => {
      log.part('kernel').warn(`notifications: ${error.message}: opening another socket, then reading everything again`)
    },
    onExternalChange: (what, routesOver) => {
      kernel.forgetRoutes()
      if (routesOver === overlay.inputs.external.name) reconciler.drift({ type: 'drift', kind: 'route', what })
      void follower.look()
    },
  }
}

/** Follows the config and the leases until the signal aborts. */
function followEtcd(
  { overlay, keeper }: Running,
  { store, listing, obstacles }: Leased,
  context: DaemonContext,
  holdMs: number | undefined,
): Promise<void> {
  const { options, backends, reconciler, readiness, census, conditions, supervisor, events, log, signal } = context
  const refused = new RefusedLeases(census, conditions)
  const take = supervisor.part('census').guard((...step: Parameters<RefusedLeases['take']>) => {
    refused.take(...step)
  })
  return follow({
    store,
    listing,
    options,
    backends,
    overlay,
    reconciler,
    readiness,
    keeper,
    census: { take },
    conditions,
    events,
    obstacleTo: (next) => {
      const { external } = overlay.inputs
      return obstacleTo(next, { ...obstacles, external, isOurs: (name) => reconciler.isOurDevice(name) })
    },
    log,
    signal,
    holdMs,
  })
}

/** A permanent neighbour that is deleted is announced without its state: by its address alone it is one of ours. */
function isPeersNeighbor(key: string, overlay: Overlay): boolean {
  const [kind, , text] = key.split(' ')
  const address = kind === 'neighbor' && text !== undefined ? parseAddress(text) : undefined
  return address !== undefined && overlay.isPeer(address)
}
