// Gathers the facts: from the daemon when it answers, else from etcd and the kernel. Reads only.
import { BACKENDS } from '../../backends/index.ts'
import { askControl, controlPath } from '../http/control-socket.ts'
import type { ExternalInterface } from '../backend.ts'
import { OperatorError, messageOf } from '../errors.ts'
import type { Place } from '../kernel/host-network.ts'
import { findIptables } from '../firewall/iptables/programs.ts'
import { type Runner, output } from '../firewall/run.ts'
import { type Address, type Family, familyOf, parseAddress } from '../ip/address.ts'
import { type Mac, parseMac } from '../ip/mac.ts'
import { type Prefix, contains, parsePrefix } from '../ip/prefix.ts'
import { LiveKernel } from '../kernel/live.ts'
import { DEVICE_NAMES, isFlannelDevice } from '../kernel/flannel-link.ts'
import { FLANNEL_PROTOCOL, type KernelState, type Link, isVxlan } from '../kernel/state.ts'
import type { Options } from '../options/type.ts'
import { probeChecksums } from './checksum-probe.ts'
import type { DaemonFacts } from './daemon-facts.ts'
import { readCredentialFacts, readEndpointFacts } from './endpoint-facts.ts'
import type { StoreFacts } from './stored.ts'
import { type Known, type PublicOptions, valueIn } from './known.ts'
import type { DaemonState, Facts, FirewallFacts, HostFacts, NamedPeer } from './facts.ts'
import { readHostFacts, readLacks } from './host-facts.ts'
import { readHandshakes } from './handshakes.ts'
import { decodedLeases } from './leases.ts'
import { probePeers } from './peer-probe.ts'
import { type ExpectedPlan, type PlanParts, ownLease, planByDaemon, planFrom } from './expected-state.ts'
import { readStore } from './store-facts.ts'
import { type ByFamily, FAMILIES, NEITHER, byFamily, inFamily, valuesOf } from '../ip/by-family.ts'

/** Gathers the facts; `peer` is the peer as the operator named it. Throws OperatorError. */
export async function gather(given: Options, peer: string | undefined): Promise<Facts> {
  const daemon = await askDaemon(given.subnetFile)
  const options: PublicOptions =
    daemon.state === 'answers' ? { ...daemon.facts.options, subnetFile: given.subnetFile } : withoutPassword(given)
  const kernel = new LiveKernel(undefined, { wireguard: { program: options.wireguardGo } })
  try {
    const devices = await devicesOf(kernel)
    const names = devices.map(({ name }) => name)
    const looked = await readHostFacts(kernel, options, names, placesOf(daemon, devices))
    const store = daemon.state === 'answers' ? daemon.facts.store : await askStore(given, looked)
    const plan = planFor({ options, host: looked, devices, store, daemon })
    const seen = { ...looked, handshakes: await readHandshakes(kernel, devices) }
    const host = 'unknown' in plan ? seen : await withPlan(kernel, seen, plan.value, daemon)
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

/** The devices that are flannel's by name. */
async function devicesOf(kernel: LiveKernel): Promise<readonly Link[]> {
  return [...(await kernel.observe('link', DEVICE_NAMES)).values()].filter(isFlannelDevice)
}

/** The interface that the daemon works with; when none answers, the one that its devices were made on. */
function placesOf(daemon: DaemonState, devices: readonly Link[]): readonly Place[] {
  const running = daemon.state === 'answers' ? daemon.facts.running : undefined
  if (running !== undefined) return running.interfaces.map((place) => ({ ...place, used: true }))
  return devices.filter(isVxlan).map(({ underlay, local }) => ({ name: underlay, address: local, used: true }))
}

/** The host with what depends on the plan. */
async function withPlan(
  kernel: LiveKernel,
  host: HostFacts,
  plan: ExpectedPlan,
  daemon: DaemonState,
): Promise<HostFacts> {
  const runs = daemon.state === 'answers' && daemon.facts.running !== undefined
  const lacks = await readLacks(kernel, plan.configuration, host.externals, runs)
  return { ...(await withWays(kernel, host, plan)), lacks }
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
    const { hostId } = host
    const parts = { options, hostId, externals: externalsIn(host), previous: subnetsBefore(host) }
    const own = ownLease(parts, leases)
    return leases.find(({ key }) => key === own?.key)
  })
}

function subnetsBefore({ subnetEnv }: HostFacts): ByFamily<Prefix> {
  return valueIn(subnetEnv)?.subnets ?? NEITHER
}

function externalsIn({ externals }: HostFacts): ByFamily<ExternalInterface> {
  return byFamily((family) => valueIn(externals[family]))
}

interface PlanSources {
  readonly options: PublicOptions
  readonly host: HostFacts
  readonly devices: readonly Link[]
  readonly store: StoreFacts
  readonly daemon: DaemonState
}

function planFor({ options, host, devices, store, daemon }: PlanSources): Known<ExpectedPlan> {
  const externals = externalsIn(host)
  if (valuesOf(externals).length === 0) return { unknown: whyNoInterface(host) }
  const running = daemon.state === 'answers' ? daemon.facts.running : undefined
  const parts: PlanParts = {
    options,
    backends: BACKENDS,
    hostId: host.hostId,
    externals,
    kernel: host.kernel,
    deviceMacs: new Map(devices.filter(isVxlan).map(({ name, mac }) => [name, mac])),
    nexthops: hasNexthops(host.kernel.get('nexthop')),
    previous: running?.own.subnets ?? subnetsBefore(host),
    kept: running?.keeping === true ? running.peers : undefined,
    believed: running && new Set(running.peers.map(({ subnet }) => subnet)),
  }
  try {
    if (store.content !== undefined) {
      // A stored config that the daemon does not apply is a fault of its own; the host follows the running one.
      const config = running?.config ?? store.content.config
      return planFrom({ ...parts, deviceMacs: macsOf(parts, devices, store) }, { ...store.content, config })
    }
    if (running !== undefined) return planByDaemon(parts, running.config, running.own, running.peers)
  } catch (error) {
    return { unknown: messageOf(error) }
  }
  return { unknown: `etcd: ${store.error ?? 'no answer'}` }
}

/** Said of the first family. */
function whyNoInterface({ externals }: HostFacts): string {
  const whys = FAMILIES.flatMap((family) => {
    const found = externals[family]
    return 'unknown' in found ? [found.unknown] : []
  })
  return whys[0] ?? ''
}

/** Peers send to the MAC in our lease, whatever the device has. */
function macsOf(
  { options, hostId, externals, previous }: PlanParts,
  devices: readonly Link[],
  { content }: StoreFacts,
): ReadonlyMap<string, Mac> {
  const own = ownLease({ options, hostId, externals, previous }, content?.leases ?? [])
  return new Map(
    devices.filter(isVxlan).map(({ name, mac, local }) => {
      const data = inFamily(own?.value.backendData ?? NEITHER, familyOf(local)) as VtepData
      const leased = typeof data?.VtepMAC === 'string' ? parseMac(data.VtepMAC) : undefined
      return [name, leased ?? mac]
    }),
  )
}

type VtepData = { readonly VtepMAC?: unknown } | null | undefined

function hasNexthops(nexthops: KernelState | undefined): boolean {
  return [...(nexthops?.values() ?? [])].some((one) => one.kind === 'nexthop' && one.protocol === FLANNEL_PROTOCOL)
}

/** A subnet or any address in it, or a host's own. Throws OperatorError for what is neither, and for this very host. */
function targetOf(text: string, options: PublicOptions, store: StoreFacts, plan: Known<ExpectedPlan>): NamedPeer {
  const address = parseAddress(text) ?? addressIn(text)
  if (address === undefined) throw new OperatorError(`doctor: ${JSON.stringify(text)}: not a subnet or an address`)
  const leases = store.content === undefined ? [] : decodedLeases(options.etcdPrefix, store.content)
  const own = 'value' in plan && plan.value.own !== undefined ? valuesOf(plan.value.own.subnets) : []
  const byRunning = 'value' in plan ? [...plan.value.peers.values()] : []
  const hosts = [
    ...leases.map(({ subnets, value }) => ({ subnets: valuesOf(subnets), addresses: valuesOf(value.addresses) })),
    ...byRunning.map(({ subnet, also, publicAddress }) => ({
      subnets: also === undefined ? [subnet] : [subnet, also],
      addresses: [publicAddress],
    })),
    { subnets: own, addresses: [] },
  ]
  const found =
    hosts.find(({ subnets }) => subnets.some((one) => contains(one, address))) ??
    hosts.find(({ addresses }) => addresses.includes(address))
  const subnets = found?.subnets ?? []
  if (subnets.some((subnet) => own.includes(subnet)))
    throw new OperatorError(
      `doctor: ${text}: that is this host itself: flanneld doctor, without it, looks at all of it`,
    )
  return { text, subnets }
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
  const rules = (family: Family): Promise<Known<string>> =>
    known(async () => output(runner, (await findIptables(runner, family, undefined)).save, []))
  return {
    iptables: { 4: await rules(4), 6: await rules(6) },
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
    if (target === undefined || target.subnets.every((subnet) => health.has(subnet))) return { value: health }
  }
  return probePeers(plan.value, host, target === undefined ? plan.value.peers.keys() : target.subnets)
}
