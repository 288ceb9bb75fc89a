// Gathers the facts: from the daemon when it answers, else from etcd and the kernel. Reads only.
import { BACKENDS } from '../../backends/index.ts'
import { askControl, controlPath } from '../http/control-socket.ts'
import { OperatorError, messageOf } from '../errors.ts'
import type { Place } from '../kernel/host-network.ts'
import { findIptables } from '../firewall/iptables/programs.ts'
import { type Runner, output } from '../firewall/run.ts'
import { type Address, parseAddress } from '../ip/address.ts'
import { type Mac, parseMac } from '../ip/mac.ts'
import { type Prefix, contains, parsePrefix } from '../ip/prefix.ts'
import { LiveKernel } from '../kernel/live.ts'
import { isFlannelLink } from '../kernel/flannel-link.ts'
import { FLANNEL_PROTOCOL, type KernelState, type VxlanLink } from '../kernel/state.ts'
import type { Options } from '../options/type.ts'
import { probeChecksums } from './checksum-probe.ts'
import type { DaemonFacts } from './daemon-facts.ts'
import { readCredentialFacts, readEndpointFacts } from './endpoint-facts.ts'
import type { StoreFacts } from './stored.ts'
import type { Known, PublicOptions } from './known.ts'
import type { DaemonState, Facts, FirewallFacts, HostFacts, NamedPeer } from './facts.ts'
import { readHostFacts } from './host-facts.ts'
import { decodedLeases } from './leases.ts'
import { probePeers } from './peer-probe.ts'
import { type ExpectedPlan, type PlanParts, ownLease, planByDaemon, planFrom } from './expected-state.ts'
import { readStore } from './store-facts.ts'
import { hasAddress } from '../lease/lease.ts'
import { NEITHER, valuesOf } from '../ip/by-family.ts'
import { subnetIn } from '../host/subnet-env.ts'

/** Gathers the facts; `peer` is the peer as the operator named it. Throws OperatorError. */
export async function gather(given: Options, peer: string | undefined): Promise<Facts> {
  const daemon = await askDaemon(given.subnetFile)
  const options: PublicOptions =
    daemon.state === 'answers' ? { ...daemon.facts.options, subnetFile: given.subnetFile } : withoutPassword(given)
  const kernel = new LiveKernel()
  try {
    const devices = await tunnelsOf(kernel)
    const tunnels = new Map(devices.map(({ name, mac }) => [name, mac]))
    const looked = await readHostFacts(kernel, options, [...tunnels.keys()], placesOf(daemon, devices))
    const store = daemon.state === 'answers' ? daemon.facts.store : await askStore(given, looked)
    const plan = planFor(options, looked, tunnels, store, daemon)
    const host = 'unknown' in plan ? looked : await withWays(kernel, looked, plan.value)
    const target = peer === undefined ? undefined : targetOf(peer, options, store, plan)
    const [firewall, endpoints, checksums, peers] = await Promise.all([
      readFirewall(),
      readEndpointFacts(options),
      probeChecksums(plan, target),
      readHealth(daemon, plan, host, target),
    ])
    return {
      now: Date.now(),
      options,
      target,
      daemon,
      store,
      endpoints,
      credentials: readCredentialFacts(options),
      host,
      plan,
      firewall,
      probes: { peers, checksums },
    }
  } finally {
    kernel.close()
  }
}

function withoutPassword(options: Options): PublicOptions {
  const { etcdPassword: _, ...rest } = options
  return rest
}

/** A stopped daemon's socket still takes connections, the kernel does that; then asking fails. */
async function askDaemon(subnetFile: string): Promise<DaemonState> {
  const socket = controlPath(subnetFile)
  try {
    const facts = (await askControl(socket, 'GET /v1/doctor')) as DaemonFacts | undefined
    return facts === undefined ? { state: 'absent', socket } : { state: 'answers', facts }
  } catch (error) {
    return { state: 'silent', socket, why: messageOf(error) }
  }
}

/** VXLAN devices that are flannel's by name. */
async function tunnelsOf(kernel: LiveKernel): Promise<readonly VxlanLink[]> {
  return [...(await kernel.observe('link', [])).values()].filter(isFlannelLink)
}

/** The interface that the daemon works with; when none answers, the one that its devices were made on. */
function placesOf(daemon: DaemonState, devices: readonly VxlanLink[]): readonly Place[] {
  const running = daemon.state === 'answers' ? daemon.facts.running : undefined
  if (running !== undefined) return [{ ...running.interface, used: true }]
  return devices.map(({ underlay, local }) => ({ name: underlay, address: local, used: true }))
}

/** The host with the kernel's own routes to all peers, where a strict filter makes them matter. */
async function withWays(kernel: LiveKernel, host: HostFacts, { peers }: ExpectedPlan): Promise<HostFacts> {
  const strict = [...host.sysctls].some(([path, value]) => path.endsWith('/rp_filter') && value === '1')
  if (!strict) return host
  const asked = await kernel.askRoutes(Array.from(peers.values(), ({ publicAddress }) => publicAddress))
  return { ...host, network: { ...host.network, asked } }
}

function askStore(options: Options, host: HostFacts): Promise<StoreFacts> {
  return readStore(options, (leases) => {
    if ('unknown' in host.external) return undefined
    const parts = { options, hostId: host.hostId, external: host.external.value, previous: subnetBefore(host) }
    const own = ownLease(parts, leases)
    return leases.find(({ key }) => key === own?.key)
  })
}

function subnetBefore({ subnetEnv }: HostFacts): Prefix | undefined {
  return 'value' in subnetEnv ? subnetIn(subnetEnv.value) : undefined
}

function planFor(
  options: PublicOptions,
  host: HostFacts,
  tunnels: ReadonlyMap<string, Mac>,
  store: StoreFacts,
  daemon: DaemonState,
): Known<ExpectedPlan> {
  if ('unknown' in host.external) return { unknown: host.external.unknown }
  const running = daemon.state === 'answers' ? daemon.facts.running : undefined
  const parts: PlanParts = {
    options,
    backends: BACKENDS,
    hostId: host.hostId,
    external: host.external.value,
    deviceMacs: tunnels,
    nexthops: hasNexthops(host.kernel.get('nexthop')),
    previous: running?.own.subnet ?? subnetBefore(host),
    kept: running?.keeping === true ? running.peers : undefined,
    believed: running && new Set(running.peers.map(({ subnet }) => subnet)),
  }
  try {
    if (store.content !== undefined) {
      // A stored config that the daemon does not apply is a fault of its own; the host follows the running one.
      const config = running?.config ?? store.content.config
      return planFrom({ ...parts, deviceMacs: macsOf(parts, store) }, { ...store.content, config })
    }
    if (running !== undefined) return planByDaemon(parts, running.config, running.own, running.peers)
  } catch (error) {
    return { unknown: messageOf(error) }
  }
  return { unknown: `etcd: ${store.error ?? 'no answer'}` }
}

/** Peers send to the MAC in our lease, whatever the device has. */
function macsOf(
  { options, hostId, external, previous, deviceMacs }: PlanParts,
  { content }: StoreFacts,
): ReadonlyMap<string, Mac> {
  const own = ownLease({ options, hostId, external, previous }, content?.leases ?? [])
  const [first] = valuesOf(own?.value.backendData ?? NEITHER)
  const data = first as { readonly VtepMAC?: unknown } | null | undefined
  const leased = typeof data?.VtepMAC === 'string' ? parseMac(data.VtepMAC) : undefined
  return leased === undefined ? deviceMacs : new Map([...deviceMacs.keys()].map((name) => [name, leased]))
}

function hasNexthops(nexthops: KernelState | undefined): boolean {
  return [...(nexthops?.values() ?? [])].some((one) => one.kind === 'nexthop' && one.protocol === FLANNEL_PROTOCOL)
}

/** A subnet or any address in it, or a host's own. Throws OperatorError for what is neither, and for this very host. */
function targetOf(text: string, options: PublicOptions, store: StoreFacts, plan: Known<ExpectedPlan>): NamedPeer {
  const address = parseAddress(text) ?? addressIn(text)
  if (address === undefined) throw new OperatorError(`doctor: ${JSON.stringify(text)}: not a subnet or an address`)
  const leases = store.content === undefined ? [] : decodedLeases(options.etcdPrefix, store.content)
  const own = 'value' in plan ? plan.value.own?.subnet : undefined
  const byRunning = 'value' in plan ? [...plan.value.peers.values()] : []
  const subnet =
    [
      ...leases.map((lease) => lease.subnet),
      ...byRunning.map((peer) => peer.subnet),
      ...(own === undefined ? [] : [own]),
    ].find((one) => contains(one, address)) ??
    leases.find(({ value }) => hasAddress(value, address))?.subnet ??
    byRunning.find((peer) => peer.publicAddress === address)?.subnet
  if (subnet !== undefined && subnet === own)
    throw new OperatorError(
      `doctor: ${text}: that is this host itself: flanneld doctor, without it, looks at all of it`,
    )
  return { text, subnet }
}

function addressIn(text: string): Address | undefined {
  const prefix = parsePrefix(text)
  return prefix === undefined ? undefined : parseAddress(prefix.slice(0, prefix.indexOf('/')))
}

async function readFirewall(): Promise<FirewallFacts> {
  const runner: Runner = { prefix: [] }
  const known = async (read: () => Promise<string>): Promise<Known<string>> => {
    try {
      return { value: await read() }
    } catch (error) {
      return { unknown: messageOf(error) }
    }
  }
  return {
    iptables: await known(async () => output(runner, (await findIptables(runner, 4, undefined)).save, [])),
    nft: await known(() => output(runner, 'nft', ['-j', 'list', 'ruleset'])),
  }
}

/** By the daemon's prober; one peer that it has not come to yet, and all where none runs, by a probe of ours. */
async function readHealth(
  daemon: DaemonState,
  plan: Known<ExpectedPlan>,
  host: HostFacts,
  target: NamedPeer | undefined,
): Promise<Facts['probes']['peers']> {
  if ('unknown' in plan) return plan
  const probed = daemon.state === 'answers' ? daemon.facts.health : 'no daemon probes the peers'
  if (typeof probed !== 'string') {
    const health = new Map(probed.map(({ subnet, ...one }) => [subnet, one]))
    if (target?.subnet === undefined || health.has(target.subnet)) return { value: health }
  }
  return probePeers(
    plan.value,
    host,
    target === undefined ? plan.value.peers.keys() : [target.subnet].filter((one) => one !== undefined),
  )
}
