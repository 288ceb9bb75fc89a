// The wiring, in start order. Above the drawn line the daemon only reads; below it touches the machine.
import type { AnyBackend } from '../backend.ts'
import { DockerBridge } from '../host/docker-bridge.ts'
import { NO_CHANGE } from '../overlay/change.ts'
import type { Snapshot } from '../etcd/store.ts'
import { watchAlarms } from './etcd-alarms.ts'
import { storeOf } from '../options/open-store.ts'
import { createFirewall } from '../firewall/firewall.ts'
import { createGuard } from '../firewall/guard.ts'
import { Events, tellLines } from '../health/events.ts'
import { serveHealth } from '../http/health-port.ts'
import { HostFollower, audit } from './host-changes.ts'
import type { Inputs } from '../overlay/inputs.ts'
import { leaseValueOf } from '../overlay/plan.ts'
import { parseAddress } from '../ip/address.ts'
import { contains } from '../ip/prefix.ts'
import { LiveKernel } from '../kernel/live.ts'
import { type MonitorOptions, startMonitor } from '../kernel/monitor.ts'
import type { Claim, OwnLease } from '../lease/found.ts'
import { encodeValue } from '../lease/codec.ts'
import { keepLease } from '../lease/keep.ts'
import { acquireLease } from '../lease/own.ts'
import { leaseNews } from './lease-events.ts'
import { Locks } from '../host/lock.ts'
import type { Log } from '../log.ts'
import { locksOf, obstacleTo, processOf } from '../obstacles/obstacles.ts'
import type { Options } from '../options/type.ts'
import { staySmall } from './release-memory.ts'
import { startProber } from './start-prober.ts'
import { controlRoutes, healthPortRoutes } from '../control/routes.ts'
import { firstSight } from '../view/running-daemon.ts'
import { Overlay } from '../overlay/overlay.ts'
import { Readiness, becauseOf } from '../health/readiness.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { RefusedLeases } from './refused-leases.ts'
import { tellFights } from './repair-fight.ts'
import { tellSystemd } from './sd-notify.ts'
import { findDevices } from '../obstacles/found-devices.ts'
import { awaitConfiguration, findHost, findLeasedHost, patiently } from './startup.ts'
import { readSubnetEnv } from '../host/subnet-env.ts'
import { controlPath, serveControl } from '../http/control-socket.ts'
import { follow } from './follow-etcd.ts'

/** What the daemon runs with. */
export interface DaemonParts {
  readonly options: Options
  readonly backends: readonly AnyBackend[]
  readonly version: string
  readonly log: Log
  readonly signal: AbortSignal
  /** As FollowParts has it. */
  readonly holdMs?: number
}

/** Runs until the signal aborts. Rejects with OperatorError for what only the operator can mend. */
export async function runDaemon({ options, backends, version, signal, holdMs, ...parts }: DaemonParts): Promise<void> {
  const events = new Events()
  const log = parts.log.part('main', tellLines(events))
  log.info(`flanneld ${version}, node ${process.version}`)
  const readiness = new Readiness(['config', 'lease', 'backend', 'subnet.env', 'peers', 'kernel', 'firewall'], log)
  const kernel = new LiveKernel()
  const judge = (failing: number): void => {
    tellFights(reconciler.report.fights, daemon.conditions, events, log.part('kernel'))
    if (failing === 0) readiness.good('kernel')
    else readiness.bad('kernel', `${failing} changes refused`)
  }
  const reconciler = new Reconciler(kernel, log.part('kernel'), judge, events)
  // Its faults are told to the log alone: not to the events, which may be what failed.
  const daemon = firstSight({ version, options, readiness, reconciler, events }, parts.log)
  tellSystemd(readiness, () => reconciler.busyFor, daemon.supervisor.part('systemd'), signal)
  const { healthzIp: ip, healthzPort: port, healthzAllowedHosts: allowedHosts } = options
  if (port > 0) await serveHealth({ ip, port, allowedHosts }, healthPortRoutes(daemon), log.part('health'), signal)

  await serveControl(controlPath(options.subnetFile), controlRoutes(daemon), log.part('control'), signal)

  const waitOut = <T>(read: () => Promise<T>): Promise<T> => patiently(read, log.part('kernel'), signal)
  const found = (daemon.host = await waitOut(() => findHost(kernel, options, log.part('host'))))
  const opened = storeOf(options)
  const store = (daemon.store = daemon.etcd.counted(opened))
  signal.addEventListener('abort', () => {
    store.close()
  })
  const alarms = daemon.supervisor.part('alarms')
  void alarms.keep(
    () => watchAlarms(store, options.etcdEndpoints, { conditions: daemon.conditions, log: log.part('etcd'), signal }),
    signal,
  )
  const previous = await readSubnetEnv(options.subnetFile)
  const locks = new Locks((name, holder) => {
    log.warn(
      `lock ${name}: taken by ${holder === undefined ? 'somebody' : `${processOf(holder)} of user ${holder.uid}`}, no flanneld of ours: going on without it`,
    )
  })
  const obstacles = { kernel, store, options, locks, hostId: found.hostId, previousSubnet: previous?.subnet }
  const configuration = await awaitConfiguration({
    store,
    options,
    backends,
    obstacleTo: (first) => obstacleTo(first, { ...obstacles, external: found.external, isOurs: () => false }),
    conditions: daemon.conditions,
    freed: (ended) => locks.freed(ended),
    log: log.part('config', becauseOf(readiness, 'config')),
    signal,
  })
  if (configuration === undefined) return
  readiness.good('config')
  const looking = { store, kernel, options, log: log.part('host'), signal }
  const host = (daemon.host = await waitOut(() => findLeasedHost(found, looking, previous?.subnet)))
  const devices = await waitOut(() => findDevices(kernel, configuration.range.network, locks))
  const inputs: Omit<Inputs, 'subnet'> = {
    options,
    configuration,
    external: host.external,
    hostId: host.hostId,
    others: [],
    keptMacs: devices.macs,
    leftovers: devices.names,
    change: NO_CHANGE,
    nexthops: false,
  }
  const claim = claimOf(inputs, previous?.subnet)
  const listing: Snapshot[] = []
  const waiting = { log: log.part('lease', becauseOf(readiness, 'lease')), signal, listing }
  const lease = await acquireLease(store, options.etcdPrefix, claim, waiting)
  readiness.good('lease')
  log.part('lease').info(`${lease.subnet} is ours`)

  // ---------------------------------------------------------------- below this line we touch the machine
  const firewallLog = log.part('firewall')
  const resyncSeconds = options.iptablesResync
  const networks = [previous?.network, previous?.subnet].filter((prefix) => prefix !== undefined)
  const firewall = createFirewall({ log: firewallLog, resyncSeconds, previous: networks })
  const vnis = devices.names.map((name) => Number(name.slice('flannel.'.length)))
  const guard = createGuard({ log: firewallLog, resyncSeconds, previous: vnis })
  const nexthopsKnown = await waitOut(() => kernel.hasNexthops())
  const keeper = keepLease(
    store,
    options.etcdPrefix,
    claim,
    lease,
    leaseNews(daemon, () => overlay),
    { log: log.part('lease'), signal },
  )
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
        if (!same) keeper.publish(claimOf(overlay.inputs, overlay.inputs.subnet))
      },
    },
    { ...inputs, subnet: lease.subnet },
  )
  // A device that another config gave up is no longer ours alone.
  overlay.onChange(() => {
    locks.keep(locksOf(overlay.inputs.configuration, overlay.inputs.external))
  })
  const running = reconciler.run(signal)
  const bridge = new DockerBridge(networks, log.part('docker'))
  const look = daemon.supervisor.part('docker').guard((...of: Parameters<typeof bridge.look>) => {
    bridge.look(...of)
  })
  const follower = new HostFollower({
    ...{ kernel, store, options, overlay, dockerBridge: { look }, signal },
    conditions: daemon.conditions,
    log: log.part('host'),
    home: host.home,
  })
  const monitoring: MonitorOptions = {
    isOurDevice: (name) => reconciler.isOurDevice(name),
    isExternalDevice: (device, address) => follower.concerns(device, address),
    isWanted: (key) => isPeersNeighbor(key, overlay),
    isOurNetwork: (destination) => contains(overlay.inputs.configuration.range.network, destination),
    onDrift: (drift) => void reconciler.drift(drift),
    onFailure: (error) => {
      log.part('kernel').warn(`notifications: ${error.message}: opening another socket, and reading everything anew`)
    },
    onExternalChange: (what, routesOver) => {
      kernel.forgetRoutes()
      if (routesOver === overlay.inputs.external.name) reconciler.drift({ type: 'drift', kind: 'route', what })
      void follower.look()
    },
  }
  await waitOut(() => startMonitor(kernel, monitoring, signal))
  void follower.look()
  void audit(reconciler, overlay, follower.look, options.auditInterval, signal)
  staySmall(readiness, daemon.supervisor.part('memory'), signal)
  Object.assign(daemon, { keeper, overlay, guard, firewall })
  startProber(daemon, overlay, log, signal)
  await overlay.update({})
  const refused = new RefusedLeases(daemon.census, daemon.conditions)
  await follow({
    store,
    listing,
    options,
    backends,
    overlay,
    reconciler,
    readiness,
    keeper,
    census: {
      take: daemon.supervisor.part('census').guard((...step) => {
        refused.take(...step)
      }),
    },
    conditions: daemon.conditions,
    events,
    obstacleTo: (next) =>
      obstacleTo(next, {
        ...obstacles,
        external: overlay.inputs.external,
        isOurs: (name) => reconciler.isOurDevice(name),
      }),
    log,
    signal,
    holdMs,
  })

  overlay.stop()
  firewall.stop()
  guard.stop()
  await running
  kernel.close()
}

/** What we claim in etcd under these inputs. */
function claimOf(inputs: Omit<Inputs, 'subnet'>, previousSubnet: OwnLease['subnet'] | undefined): Claim {
  return {
    hostId: inputs.hostId,
    publicAddress: inputs.external.publicAddress,
    ranges: { ipv4: inputs.configuration.range, ipv6: undefined },
    previousSubnet,
    previousSubnet6: undefined,
    insists: inputs.options.onSubnetConflict === 'wait',
    value: ({ subnet }) => leaseValueOf({ ...inputs, subnet }),
  }
}

/** A permanent neighbour that is deleted is announced without its state: by its address alone it is one of ours. */
function isPeersNeighbor(key: string, overlay: Overlay): boolean {
  const [kind, , text] = key.split(' ')
  const address = kind === 'neighbor' && text !== undefined ? parseAddress(text) : undefined
  return address !== undefined && overlay.isPeer(address)
}
