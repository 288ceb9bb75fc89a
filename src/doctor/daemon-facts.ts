// What the daemon sends doctor: its options without the password, what it runs on, and what etcd answers it.
// Invariant: JSON all through; the password is replaced before anything is answered.
import type { Peer } from '../backend.ts'
import type { HelperStatus } from '../helpers/slot.ts'
import { shared } from '../http/handlers.ts'
import type { Handler } from '../http/serve-routes.ts'
import { PEERS_KEPT } from '../lease/hold.ts'
import { showObject } from '../kernel/show.ts'
import type { Address } from '../ip/address.ts'
import type { Unready } from '../health/readiness.ts'
import type { Prefix } from '../ip/prefix.ts'
import {
  type CurrentDaemon,
  type Running,
  type RunningDaemon,
  primarySession,
  whenRunning,
} from '../view/running-daemon.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import type { StoreFacts, StoredLease } from './stored.ts'
import type { PublicOptions } from './known.ts'
import { type OwnStored, ownLease } from './expected-state.ts'
import { readStore } from './store-facts.ts'
import { valuesOf } from '../ip/by-family.ts'

/** All facts of the daemon. */
export interface DaemonFacts {
  readonly version: string
  readonly pid: number
  /** When it started; milliseconds since 1970. */
  readonly since: number
  readonly options: PublicOptions
  /** What is missing when it is not ready. */
  readonly reasons: readonly string[]
  /** The same for programs; absent from a daemon of an earlier version. */
  readonly unready?: readonly Unready[]
  /** Changes the kernel refuses. */
  readonly failing: number
  readonly conflicts: readonly string[]
  /** Undefined until there is a lease. */
  readonly running: RunningFacts | undefined
  /** The programs that backends need beside the kernel; absent from a daemon that knows of none. */
  readonly helpers?: readonly HelperStatus[]
  /** Why rules or the guard are not in place. */
  readonly firewallError: string | undefined
  readonly guardError: string | undefined
  readonly store: StoreFacts
  /** What the probes found, peer by peer; why nothing is probed. */
  readonly health: readonly HealthFacts[] | string
}

/** A peer as probed. */
type HealthFacts = PeerHealth & { readonly subnet: Prefix }

/** What it runs on. */
interface RunningFacts {
  readonly config: string
  readonly own: OwnStored
  /** The interfaces and the addresses it works with, one of each family. */
  readonly interfaces: readonly { readonly name: string; readonly address: Address }[]
  /** Its VXLAN devices, those kept for a while after a change among them; undefined from a daemon of before. */
  readonly tunnels?: readonly string[]
  readonly peers: readonly Peer[]
  /** Whether peers are kept whose leases are gone, since etcd lost them; absent from a daemon that does not report it. */
  readonly keeping?: boolean
}

/** The handler of GET /v1/doctor. */
export function doctorHandler(current: CurrentDaemon): Handler {
  return shared(async () => ({ status: 200, json: await daemonFacts(current()) }))
}

async function daemonFacts(daemon: RunningDaemon): Promise<DaemonFacts> {
  const { options, readiness, reconciler } = daemon
  const running = whenRunning(daemon)
  const store = await readStore(options, (leases) => ownIn(daemon, leases))
  const { etcdPassword: _, ...shown } = options
  return {
    version: daemon.version,
    pid: process.pid,
    since: daemon.since,
    options: shown,
    reasons: readiness.reasons,
    unready: readiness.unready,
    failing: reconciler.report.failing,
    conflicts: reconciler.conflicts.map(({ found }) => showObject(found)),
    running: running && runningFacts(running),
    helpers: running?.helpers.status ?? [],
    firewallError: running?.firewall.status().error,
    guardError: running?.guard.error(),
    store,
    health: healthIn(daemon),
  }
}

function runningFacts(running: Running): RunningFacts {
  const { inputs, plan, peers, lease } = primarySession(running)
  const own = lease.own()
  const { subnets, key, etcdLease, value } = own
  return {
    config: inputs.configuration.text,
    interfaces: valuesOf(inputs.externals).map(({ name, address }) => ({ name, address })),
    own: { subnets, key, etcdLease, value },
    tunnels: plan.tunnels.map(({ name }) => name),
    peers: [...peers.values()],
    keeping: running.conditions.has(PEERS_KEPT),
  }
}

/** Our lease as stored: looked for as doctor does, not where we believe it to be. */
function ownIn(daemon: RunningDaemon, leases: readonly StoredLease[]): StoredLease | undefined {
  if (daemon.phase !== 'running') return undefined
  const { options } = daemon
  const { inputs } = primarySession(daemon)
  const { hostId, externals, subnets } = inputs
  const own = ownLease({ options, hostId, externals, previous: subnets }, leases)
  return leases.find(({ key }) => key === own?.key)
}

function healthIn(daemon: RunningDaemon): DaemonFacts['health'] {
  if (daemon.phase !== 'running') return 'the daemon does not probe yet'
  const { prober, sessions } = daemon
  const { off } = prober.summary()
  if (off !== undefined) return `the daemon does not probe: ${off}`
  const subnets = sessions.flatMap(({ peers }) => [...peers.keys()])
  return subnets.flatMap((subnet) => {
    const health = prober.healthOf(subnet)
    return health === undefined ? [] : [{ subnet, ...health }]
  })
}
