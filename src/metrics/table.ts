// The table of metrics: name, type, labels, help, and how each is read from the daemon. The scrape and docs/metrics.md are
// made from it.
import { primarySubnet } from '../lease/lease.ts'
import { KINDS } from '../kernel/state.ts'
import { REASONS } from '../lease/stats.ts'
import { countObjects, OBJECT_STATES } from '../view/kernel-objects.ts'
import { ETCD_OPERATIONS } from '../etcd/tally.ts'
import { PEER_STATES } from '../text/peer-states.ts'
import { PEER_SERIES, peerSeriesOf, peerStates } from './peer-series.ts'
import type { Session } from '../overlay/session.ts'
import { type RunningDaemon, primarySession, whenRunning } from '../view/running-daemon.ts'
import { VERDICT } from './verdict-rows.ts'
import { OBSERVING } from '../health/supervise.ts'
import { type Metric, type Sample, asNumber, bucketsOf, countsOf, one } from './sample.ts'
import { primaryRange } from '../network-config/configuration.ts'

const BOUNDED = `At most ${PEER_SERIES} peers that are probed, those in trouble first.`
const PEER = { peer: 'its subnet', family: 'IPv6 in the series of its other family, where it has two' }

const PEERS: readonly Metric[] = [
  {
    name: 'flannel_peers',
    type: 'gauge',
    help: 'Peers by how they are reached, a host with two families once.',
    labels: { state: PEER_STATES.join(', ') },
    note: '`unknown`: not probed yet. `refused`: its lease is not believed, and nothing is sent there.',
    read: peerStates,
  },
  {
    name: 'flannel_peer_rtt_seconds',
    type: 'gauge',
    help: 'Time there and back to a peer.',
    labels: PEER,
    note: BOUNDED,
    read: (daemon) => peerSeriesOf(daemon, ({ rttMs }) => rttMs && rttMs / 1000),
  },
  {
    name: 'flannel_peer_loss_ratio',
    type: 'gauge',
    help: 'Part of the probes of a peer that were lost, 0 to 1.',
    labels: PEER,
    note: BOUNDED,
    read: (daemon) => peerSeriesOf(daemon, ({ loss }) => loss),
  },
  {
    name: 'flannel_peer_path_mtu_bytes',
    type: 'gauge',
    help: 'Largest packet that gets to a peer.',
    labels: PEER,
    note: BOUNDED,
    read: (daemon) => peerSeriesOf(daemon, ({ pathMtu }) => pathMtu),
  },
]

const STORE: readonly Metric[] = [
  {
    name: 'flannel_etcd_connected',
    type: 'gauge',
    help: 'Whether the watch on etcd is alive.',
    note: 'Before there is one: whether etcd answered the last call.',
    read: ({ etcd }) => one(etcd.connected ? 1 : 0),
  },
  {
    name: 'flannel_etcd_revision',
    type: 'gauge',
    help: 'Revision of etcd up to which changes are known.',
    read: ({ etcd }) => one(etcd.revision === undefined ? undefined : Number(etcd.revision)),
  },
  {
    name: 'flannel_etcd_request_duration_seconds',
    type: 'histogram',
    help: 'Time etcd took for a call, failed ones included.',
    labels: { op: ETCD_OPERATIONS.join(', ') },
    read: ({ etcd }) => Array.from(etcd.seconds, ([op, histogram]) => bucketsOf(histogram, { op })).flat(),
  },
  {
    name: 'flannel_etcd_errors_total',
    type: 'counter',
    help: 'Calls of etcd that failed and watches that were cut.',
    labels: { code: 'unreachable, tls, auth, deadline, unavailable, refused' },
    read: ({ etcd }) => countsOf('code', etcd.errors),
  },
]

const LEASES: readonly Metric[] = [
  {
    name: 'flannel_lease_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When our lease ends if it is not renewed any more.',
    note: 'Since 1970; `+Inf` for a reservation. From the first renewal on, ten seconds after the start.',
    read: (daemon) => {
      const expires = primaryIn(daemon)?.lease.expires()
      return one(expires === undefined ? undefined : expires / 1000)
    },
  },
  {
    name: 'flannel_lease_renewals_total',
    type: 'counter',
    help: 'Looks after our lease.',
    labels: { result: 'renewed, restored, failed' },
    note: '`restored`: it was deleted, changed or had expired, and was written again.',
    read: (daemon) => countsOf('result', primaryIn(daemon)?.lease.renewals),
  },
  {
    name: 'flannel_leases_rejected_total',
    type: 'counter',
    help: "Other hosts' leases that are not believed.",
    labels: { reason: REASONS.join(', ') },
    note: 'Words of the log. Each lease counts once, and again when the reason is another one.',
    read: ({ leaseStats }) => countsOf('reason', leaseStats.rejected),
  },
  {
    name: 'flannel_subnets',
    type: 'gauge',
    help: 'Subnets of the network by how they are used.',
    labels: { state: 'leased, reserved, refused, free' },
    note: '`refused`: taken by a lease that is not believed.',
    read: (daemon) => {
      if (daemon.phase !== 'running') return []
      const { leaseStats, options } = daemon
      const { inputs } = primarySession(daemon)
      const usage = leaseStats.usage(options.etcdPrefix, primaryRange(inputs.configuration), primarySubnet(inputs))
      return Object.entries(usage).map(([state, value]) => ({ labels: { state }, value: value as number }))
    },
  },
]

const KERNEL: readonly Metric[] = [
  {
    name: 'flannel_kernel_objects',
    type: 'gauge',
    help: 'Objects we want in the kernel, by how they are.',
    labels: { kind: KINDS.join(', '), state: OBJECT_STATES.join(', ') },
    note: '`refused` by the kernel; `conflict`: one that is not ours stands in its place.',
    read: async (daemon) =>
      (await countObjects(daemon))?.map(({ kind, state, count }) => ({ labels: { kind, state }, value: count })) ?? [],
  },
  {
    name: 'flannel_kernel_drift_total',
    type: 'counter',
    help: 'Notifications that another program changed an object of ours.',
    labels: { kind: [...KINDS, 'overrun'].join(', ') },
    note: 'A change of the external interface counts as `route`. `overrun`: notifications were lost, all is read again.',
    read: ({ reconciler }) => countsOf('kind', reconciler.report.drifts),
  },
  {
    name: 'flannel_kernel_repairs_total',
    type: 'counter',
    help: 'Objects repaired because another program had changed them.',
    labels: { kind: KINDS.join(', '), result: 'ok, refused' },
    note: '`refused` by the kernel at the first try.',
    read: ({ reconciler: { report } }) =>
      KINDS.flatMap((kind): readonly Sample[] => {
        const refused = report.refusedRepairs.counts.get(kind) ?? 0
        return [
          { labels: { kind, result: 'ok' }, value: (report.repairs.get(kind) ?? 0) - refused },
          { labels: { kind, result: 'refused' }, value: refused },
        ]
      }),
  },
  {
    name: 'flannel_reconcile_duration_seconds',
    type: 'histogram',
    help: 'Time it took to compare the kernel with the wanted state and to repair it.',
    read: ({ reconciler }) => bucketsOf(reconciler.report.durations),
  },
  {
    name: 'flannel_reconcile_failures_total',
    type: 'counter',
    help: 'Passes that were aborted or of which the kernel refused something.',
    read: ({ reconciler }) => one(reconciler.report.failedPasses),
  },
]

const FIREWALL: readonly Metric[] = [
  {
    name: 'flannel_vxlan_unknown_sender_packets_total',
    type: 'counter',
    help: 'Packets to the VXLAN port from no peer, dropped by the guard.',
    note: 'Since the guard was made: a restart of the daemon does not reset it.',
    read: async (daemon) => one(asNumber(await whenRunning(daemon)?.guard.dropped())),
  },
  {
    name: 'flannel_firewall_sync_total',
    type: 'counter',
    help: 'Transactions on iptables and nftables that brought the rules in line.',
    labels: { result: 'written, failed' },
    note: 'Rules found right count as neither.',
    read: (daemon) => {
      const running = whenRunning(daemon)
      return countsOf('result', running?.firewall.syncs, running?.guard.syncs)
    },
  },
]

const PROCESS: readonly Metric[] = [
  {
    name: 'flannel_build_info',
    type: 'gauge',
    help: 'Which program this is; always 1.',
    labels: { version: "the daemon's", node: "Node's" },
    read: ({ version }) => [{ labels: { version, node: process.version }, value: 1 }],
  },
  {
    name: 'flannel_conditions',
    type: 'gauge',
    help: 'Conditions of this host that stand.',
    labels: { level: 'fault, warning, note' },
    note: 'Only a fault changes the verdict of `flanneld status`, which names them.',
    read: ({ conditions }) => Array.from(conditions.counts, ([level, count]) => ({ labels: { level }, value: count })),
  },
  {
    name: 'flannel_part_faults_total',
    type: 'counter',
    help: 'Faults of the program in parts that only look on, which start again by themselves.',
    labels: { part: OBSERVING.join(', ') },
    note: 'For five minutes after one, the condition `part-failed-PART` stands.',
    read: ({ supervisor }) => countsOf('part', supervisor.faults),
  },
  {
    name: 'process_cpu_user_seconds_total',
    type: 'counter',
    help: 'Processor time spent in the program.',
    read: () => one(process.cpuUsage().user / 1e6),
  },
  {
    name: 'process_cpu_system_seconds_total',
    type: 'counter',
    help: 'Processor time spent in the kernel.',
    read: () => one(process.cpuUsage().system / 1e6),
  },
]

function primaryIn(daemon: RunningDaemon): Session | undefined {
  const running = whenRunning(daemon)
  return running && primarySession(running)
}

/** Every metric, in the order of a scrape. */
export const METRICS: readonly Metric[] = [
  ...PROCESS,
  ...VERDICT,
  ...PEERS,
  ...STORE,
  ...LEASES,
  ...KERNEL,
  ...FIREWALL,
]
