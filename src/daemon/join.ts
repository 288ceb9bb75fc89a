// How the daemon joins a network: it reads this host and etcd until this host can run the config and has a lease.
// Invariant: nothing here changes the kernel, a file or the firewall.
import type { Store, Snapshot } from '../etcd/store.ts'
import { reporter } from '../health/reporter.ts'
import type { Host } from '../host/host-id.ts'
import { Locks } from '../host/lock.ts'
import { type FoundSubnetEnv, readSubnetEnv } from '../host/subnet-env.ts'
import type { OwnLease } from '../lease/found.ts'
import { type AcquireOptions, acquireLease } from '../lease/own.ts'
import type { Configuration } from '../network-config/configuration.ts'
import { type FoundDevices, findDevices } from '../obstacles/found-devices.ts'
import { type ObstacleParts, obstacleTo, processOf } from '../obstacles/obstacles.ts'
import { openStoreOf } from '../options/open-store.ts'
import { type Inputs, derivedAtStart } from '../overlay/inputs.ts'
import { claimOf } from '../overlay/plan.ts'
import type { DaemonContext } from './context.ts'
import { prepare } from './prepare.ts'
import { watchAlarms } from './etcd-alarms.ts'
import { awaitConfiguration, findHost, findLeasedHost, hostFor, patiently, reportInterfaces } from './startup.ts'
import { namesOf } from '../lease/lease.ts'
import { wantedOf } from '../host/wanted-interfaces.ts'
import { NEITHER, some, valuesOf } from '../ip/by-family.ts'

/** What is known of this host and its network once there is a lease. */
export interface LeasedHost {
  readonly host: Host
  readonly store: Store
  /** subnet.env as the run before left it. */
  readonly previous: FoundSubnetEnv | undefined
  readonly devices: FoundDevices
  readonly locks: Locks
  /** What there is to know of an obstacle to a config, but for what changes while the daemon runs. */
  readonly obstacles: Omit<ObstacleParts, 'externals' | 'isOurs'>
  readonly inputs: Inputs
  readonly lease: OwnLease
  /** The listing the lease was decided on, for the watch to begin with. */
  readonly listing: Snapshot[]
}

/** Waits for everything without a limit. Undefined when the signal aborts before there is a config. */
export async function joinNetwork(context: DaemonContext): Promise<LeasedHost | undefined> {
  const { cell, kernel, options, readiness, events, log, signal } = context
  const found = await waitOut(() => findHost(kernel, options, log.part('host')), context)
  const store = connect(context)
  cell.enter({ ...cell.current(), phase: 'joining', host: found, store })
  const previous = await readSubnetEnv(options.subnetFile)
  const locks = locksFor(context)
  const obstacles = {
    kernel,
    store,
    options,
    locks,
    hostId: found.hostId,
    previousSubnets: previous?.subnets ?? NEITHER,
  }
  const first = await configurationFor(found, obstacles, context)
  if (first === undefined) return undefined
  const { configuration, prepared } = first
  reportInterfaces(configuration, first.host, log.part('host'))
  readiness.good('config')

  const reading = { store, kernel, options, log: log.part('host'), signal }
  const host = await waitOut(() => findLeasedHost(first.host, reading, obstacles.previousSubnets), context)
  cell.enter({ ...cell.current(), phase: 'joining', host, store })
  const networks = valuesOf(configuration.ranges).map(({ network }) => network)
  const devices = await waitOut(() => findDevices(kernel, networks, locks), context)
  const { hostId } = host
  // Configs without an interface for one of their families are waited out.
  const externals = some(wantedOf(configuration, host.externals)) ?? host.externals
  const inputs: Omit<Inputs, 'subnets'> = { options, configuration, externals, hostId, prepared }
  const claim = claimOf({ ...inputs, ...derivedAtStart(devices) }, previous?.subnets ?? NEITHER)
  const listing: Snapshot[] = []
  const leaseLog = reporter('lease', log.part('lease'), events)
  const waiting: AcquireOptions = {
    log: leaseLog,
    signal,
    listing,
    onWaiting: (code, text) => {
      readiness.bad('lease', code, text)
    },
  }
  const lease = await acquireLease(store, options.etcdPrefix, claim, waiting)
  readiness.good('lease')
  leaseLog.info(`${namesOf(lease)} ${valuesOf(lease.subnets).length > 1 ? 'are' : 'is'} ours`)
  const known = { host, store, previous, devices, locks, obstacles }
  return { ...known, inputs: { ...inputs, subnets: lease.subnets }, lease, listing }
}

/** Reads from a busy kernel for as long as that takes. */
export function waitOut<T>(read: () => Promise<T>, { log, signal }: DaemonContext): Promise<T> {
  return patiently(read, log.part('kernel'), signal)
}

/** Opens etcd until the signal aborts, and watches its alarms. */
function connect({ options, etcd, conditions, supervisor, events, log, signal }: DaemonContext): Store {
  const store = etcd.counted(openStoreOf(options))
  signal.addEventListener('abort', () => {
    store.close()
  })
  const watching = { conditions, log: reporter('store', log.part('etcd'), events), signal }
  void supervisor.part('alarms').keep(() => watchAlarms(store, options.etcdEndpoints, watching), signal)
  return store
}

function locksFor({ log }: DaemonContext): Locks {
  return new Locks((name, holder) => {
    const by = holder === undefined ? 'another process' : `${processOf(holder)} of user ${holder.uid}`
    log.warn(`lock ${name}: held by ${by}, which is no flanneld of ours: continuing without it`)
  })
}

/** A config that this host can run. */
interface Runnable {
  readonly configuration: Configuration
  /** The host with an interface for each of its families. */
  readonly host: Host
  readonly prepared: Inputs['prepared']
}

/** The first config that this host can run. */
async function configurationFor(
  found: Host,
  obstacles: LeasedHost['obstacles'],
  { kernel, options, backends, conditions, readiness, events, log, signal }: DaemonContext,
): Promise<Runnable | undefined> {
  let host = found
  let prepared: Inputs['prepared'] = new Map()
  const configuration = await awaitConfiguration({
    store: obstacles.store,
    options,
    backends,
    obstacleTo: async (first) => {
      const reached = await hostFor(first, found, kernel, options)
      if (typeof reached === 'string') return reached
      host = reached
      const externals = some(wantedOf(first, host.externals)) ?? host.externals
      const obstacle = await obstacleTo(first, { ...obstacles, externals, isOurs: () => false })
      // Last, because a command of the config may make something.
      if (obstacle === undefined) prepared = await prepare(first, externals)
      return obstacle
    },
    conditions,
    freed: (ended) => obstacles.locks.freed(ended),
    onWaiting: (code, text) => {
      readiness.bad('config', code, text)
    },
    log: reporter('config', log.part('config'), events),
    signal,
  })
  return configuration && { configuration, host, prepared }
}
