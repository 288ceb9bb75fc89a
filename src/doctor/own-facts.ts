// What a running daemon knows of its own host without reading etcd or all of the kernel: the peers and the plan are the ones
// it works with. Reads; changes nothing.
import { inPortions } from '../async/chunks.ts'
import { readSubnetEnv } from '../host/subnet-env.ts'
import { questionsOf } from '../kernel/host-network.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { peersIn } from '../overlay/sessions.ts'
import type { Peer } from '../backend.ts'
import { peerObjects } from '../reconcile/intent.ts'
import type { PeerHealth } from '../probe/peer-health.ts'
import type { Prefix } from '../ip/prefix.ts'
import { type Running, type RunningDaemon, primarySession } from '../view/running-daemon.ts'
import type { HostFacts } from './facts.ts'
import type { OwnFacts } from './finding.ts'
import {
  chosenInterfaces,
  hasVxlan,
  known,
  readKeyFile,
  readLacks,
  readOffload,
  readSysctls,
  uplinksOf,
} from './host-facts.ts'
import type { Known } from './known.ts'
import type { ExpectedPlan, Wanted } from './expected-state.ts'
import { FAMILIES, inFamily } from '../ip/by-family.ts'

const NOT_READ = { unknown: 'not read' } as const

/** The facts that cost next to nothing; the rest is "not read", for the caller to fill in. */
export async function readOwnFacts(kernel: LiveKernel, daemon: RunningDaemon): Promise<OwnFacts> {
  const { etcdPassword: _, ...options } = daemon.options
  const plan: Known<ExpectedPlan> =
    daemon.phase === 'running' ? { value: ownPlan(daemon) } : { unknown: 'this host has no lease' }
  return {
    now: Date.now(),
    options,
    target: undefined,
    store: { endpoints: [], content: undefined, error: 'not read' },
    endpoints: [],
    credentials: undefined,
    host: await readHost(kernel, daemon, plan),
    plan,
    firewall: { iptables: { 4: NOT_READ, 6: NOT_READ }, nft: NOT_READ },
    probes: { peers: NOT_READ, checksums: NOT_READ },
  }
}

/** The plan the daemon works by. Of what peers need only that of `peers` is in it. */
export function ownPlan(running: Running, peers: readonly Peer[] = []): ExpectedPlan {
  const session = primarySession(running)
  const { inputs, intent, objects } = session.plan
  const { key, etcdLease, value } = session.lease.own()
  const base = objects.map((object): Wanted => ({ object, peer: undefined }))
  const wanted = [...base, ...peers.flatMap((peer) => wantedFor(intent, peer))]
  const own = { subnets: inputs.subnets, key, etcdLease, value }
  const { configuration } = inputs
  return { configuration, own, peers: session.peers, refused: new Map(), inputs, wanted, intent }
}

/** The same with what every peer needs, worked out in portions. */
export async function fullPlanOf(running: Running): Promise<ExpectedPlan> {
  const plan = ownPlan(running)
  const { intent } = plan
  if (intent === undefined) return plan
  const wanted = [...plan.wanted]
  for await (const portion of inPortions([...plan.peers.values()]))
    wanted.push(...portion.flatMap((peer) => wantedFor(intent, peer)))
  return { ...plan, wanted }
}

function wantedFor(intent: ExpectedPlan['intent'] & object, peer: Peer): readonly Wanted[] {
  const objects = peerObjects(intent, peer)
  return objects.ok ? objects.value.map((object) => ({ object, peer: peer.subnet })) : []
}

/** What the daemon's probes found. */
export function healthOf({ sessions, prober }: Running): ReadonlyMap<Prefix, PeerHealth> {
  const found = new Map<Prefix, PeerHealth>()
  for (const subnet of peersIn(sessions).keys()) {
    const health = prober.healthOf(subnet)
    if (health !== undefined) found.set(subnet, health)
  }
  return found
}

async function readHost(kernel: LiveKernel, daemon: RunningDaemon, plan: Known<ExpectedPlan>): Promise<HostFacts> {
  const { options } = daemon
  const network = await kernel.readHost(questionsOf(options))
  const inputs = 'value' in plan ? plan.value.inputs : undefined
  const chosen = chosenInterfaces(network, options, [])
  const [external4, external6] = FAMILIES.map((family) => inputs && inFamily(inputs.externals, family))
  const externals = {
    4: external4 === undefined ? chosen[4] : { value: external4 },
    6: external6 === undefined ? chosen[6] : { value: external6 },
  }
  const wanted = 'value' in plan ? plan.value.wanted : []
  const tunnels = wanted.flatMap(({ object }) => (object.kind === 'link' ? [object.name] : []))
  const uplinks = uplinksOf(externals)
  const there = [...tunnels, ...uplinks, 'docker0'].filter((name) => network.links.some((link) => link.name === name))
  const ours = network.links.filter(({ name }) => [...tunnels, ...uplinks].includes(name))
  return {
    hostId: inputs?.hostId ?? '',
    network,
    externals,
    kernel: new Map(),
    sysctls: await readSysctls(there),
    vxlan: await hasVxlan(kernel),
    lacks:
      'value' in plan ? await readLacks(kernel, plan.value.configuration, externals, true) : { unknown: plan.unknown },
    keyFile: await readKeyFile(),
    handshakes: new Map(),
    associations: NOT_READ,
    udpSockets: [],
    checksumOffload: await readOffload(ours),
    subnetEnv: await known(() => readSubnetEnv(options.subnetFile)),
  }
}
