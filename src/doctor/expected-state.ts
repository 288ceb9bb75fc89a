// What this host should have by what etcd says and the interfaces it has: computed again, apart from the daemon, by the daemon's
// own rules. Pure.
import type { AnyBackend, Configured, ExternalInterface, Peer } from '../backend.ts'
import { type Configuration, readConfiguration } from '../network-config/configuration.ts'
import { OperatorError, messageOf } from '../errors.ts'
import type { StoreEntry } from '../etcd/store.ts'
import { NO_CHANGE } from '../overlay/change.ts'
import { BackendConfigs } from '../overlay/backend-configs.ts'
import { typesOf } from '../overlay/backends-in-use.ts'
import type { PlanInputs } from '../overlay/inputs.ts'
import { peerRules } from '../overlay/peer-rules.ts'
import { intentOf, selvesOf, useNexthops } from '../overlay/plan.ts'
import type { Mac } from '../ip/mac.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { KernelObject, KernelState, Kind } from '../kernel/state.ts'
import { decodeKey, decodeValue } from '../lease/codec.ts'
import { type LeaseValue, type Subnets, hasAddress } from '../lease/lease.ts'
import type { PeerRules } from '../lease/peer-check.ts'
import { FamilyPeers } from '../lease/family-peers.ts'
import { type Intent, carrierOf, hostObjects, peerObjects } from '../reconcile/intent.ts'
import { asFound } from './found-ways.ts'
import { preparedBy } from './prepared.ts'
import type { StoreContent, StoredLease } from './stored.ts'
import type { Known, PublicOptions } from './known.ts'
import {
  type ByFamily,
  type SomeFamily,
  anyFamily,
  byFamily,
  familiesOf,
  inFamily,
  mapFamilies,
  some,
  valuesOf,
} from '../ip/by-family.ts'

/** What a plan depends on, except etcd. */
export interface PlanParts {
  readonly options: PublicOptions
  readonly backends: readonly AnyBackend[]
  readonly hostId: string
  /** The interface of each family, where there is one. */
  readonly externals: ByFamily<ExternalInterface>
  /** What was found in the kernel. */
  readonly kernel: ReadonlyMap<Kind, KernelState>
  /** MACs of the VXLAN devices there are, by name. */
  readonly deviceMacs: ReadonlyMap<string, Mac>
  /** Whether nexthop objects of ours are there. */
  readonly nexthops: boolean
  /** The subnets that subnet.env names. */
  readonly previous: ByFamily<Prefix>
  /** Subnets of the peers that the daemon has; undefined when none answers. */
  readonly believed?: ReadonlySet<Prefix> | undefined
  /** Peers that the daemon keeps if their leases are gone; undefined when it keeps none. */
  readonly kept?: readonly Peer[] | undefined
}

/** This host's own lease as stored. */
export interface OwnStored {
  readonly subnets: Subnets
  readonly key: string
  readonly etcdLease: string
  readonly value: LeaseValue
}

/** What should be. */
export interface ExpectedPlan {
  readonly configuration: Configuration
  /** Undefined when no lease is this host's. */
  readonly own: OwnStored | undefined
  readonly peers: ReadonlyMap<Prefix, Peer>
  /** Leases to be refused: why, by key. */
  readonly refused: ReadonlyMap<string, string>
  /** What a host with this lease goes by; undefined without a lease. */
  readonly inputs: PlanInputs | undefined
  /** What the kernel should have, and for which peer; nothing without a lease. */
  readonly wanted: readonly Wanted[]
  readonly intent: Intent | undefined
}

/** An object the kernel should have. */
export interface Wanted {
  readonly object: KernelObject
  readonly peer: Prefix | undefined
}

/** Plans by what etcd holds. */
export function planFrom(parts: PlanParts, content: StoreContent): Known<ExpectedPlan> {
  if (content.config === undefined) return { unknown: 'there is no network config in etcd' }
  try {
    const configuration = readConfiguration(content.config, parts.backends)
    const own = ownLease(parts, content.leases)
    const decisions = decisionsOf(parts, content)
    const rules = mapFamilies(rulesOf(parts, configuration, own), (each) => ({ ...each, ...decisions }))
    const table = new FamilyPeers(parts.options.etcdPrefix, rules)
    table.snapshot(content.leases.filter((lease) => lease.key !== own?.key).map(entryOf), rules)
    const peers = new Map([...(parts.kept ?? []).map((peer) => [peer.subnet, peer] as const), ...table.peers])
    return { value: complete(parts, configuration, own, peers, table.refused) }
  } catch (error) {
    return { unknown: messageOf(error) }
  }
}

/** Plans by what the daemon took from etcd before that went away. */
export function planByDaemon(
  parts: PlanParts,
  config: string,
  own: OwnStored,
  peers: readonly Peer[],
): Known<ExpectedPlan> {
  const configuration = readConfiguration(config, parts.backends)
  const bySubnet = new Map(peers.map((peer) => [peer.subnet, peer]))
  return { value: complete(parts, configuration, own, bySubnet, new Map()) }
}

/** This host's lease: by its id, or written by Go's flanneld for its address; the one subnet.env names if there are two. */
export function ownLease(
  { options, hostId, externals, previous }: Pick<PlanParts, 'options' | 'hostId' | 'externals' | 'previous'>,
  leases: readonly StoredLease[],
): OwnStored | undefined {
  const ours: OwnStored[] = []
  for (const { key, text, etcdLease } of leases) {
    const named = decodeKey(options.etcdPrefix, key)
    const value = decodeValue(Buffer.from(text))
    if (!named.ok || !value.ok) continue
    const { hostId: writer } = value.value
    const has = valuesOf(externals).some(({ publicAddress }) => hasAddress(value.value, publicAddress))
    if (writer === hostId || (writer === undefined && has))
      ours.push({ subnets: named.value, key, etcdLease, value: value.value })
  }
  const before = ours.find(({ subnets }) => anyFamily(subnets, previous, (subnet, other) => subnet === other))
  return before ?? ours.find(({ value }) => value.hostId === hostId) ?? ours[0]
}

function complete(
  parts: PlanParts,
  configuration: Configuration,
  own: OwnStored | undefined,
  peers: ReadonlyMap<Prefix, Peer>,
  refused: ReadonlyMap<string, string>,
): ExpectedPlan {
  if (own === undefined) return { configuration, own, peers, refused, inputs: undefined, wanted: [], intent: undefined }
  const types = new Set([...peers.values()].flatMap((peer) => typesOf(peer, parts.backends)))
  const configs = new BackendConfigs(parts.backends)
  const others = configs.others(types, configuration)
  const { options } = parts
  const nexthops = useNexthops(options.nexthopObjects, true, peers.size, parts.nexthops)
  const inputs = { ...bareInputs(parts, configuration, own, others), subnets: own.subnets, nexthops }
  const intent = intentOf(inputs)
  const wanted: Wanted[] = hostObjects(intent).map((object) => ({ object, peer: undefined }))
  for (const peer of peers.values()) {
    const objects = peerObjects(intent, peer)
    if (!objects.ok) continue
    const several = carrierOf(intent, peer.type)?.backend.explains !== undefined
    const way = (object: KernelObject): KernelObject => (several ? asFound(object, peer, parts.kernel) : object)
    wanted.push(...objects.value.map((object) => ({ object: way(object), peer: peer.subnet })))
  }
  return { configuration, own, peers, refused, inputs, wanted, intent }
}

function bareInputs(
  parts: PlanParts,
  configuration: Configuration,
  own: OwnStored | undefined,
  others: readonly Configured[],
): Omit<PlanInputs, 'subnets'> {
  const { options, hostId, deviceMacs, kernel } = parts
  const externals = externalsOf(parts, configuration)
  return {
    // Nothing that is planned depends on the password.
    options: { ...options, etcdPassword: undefined },
    configuration,
    externals,
    hostId,
    others,
    prepared:
      own === undefined ? new Map() : preparedBy({ value: own.value, configuration, externals, others, kernel }),
    keptMacs: deviceMacs,
    leftovers: [],
    change: NO_CHANGE,
    nexthops: false,
  }
}

/** The interfaces of the families of a config. Throws OperatorError when it has none of them. */
function externalsOf({ externals }: PlanParts, { ranges }: Configuration): SomeFamily<ExternalInterface> {
  const found = some(byFamily((family) => inFamily(ranges, family) && inFamily(externals, family)))
  const families = familiesOf(ranges).map((family) => `IPv${family}`)
  if (found === undefined) throw new OperatorError(`this host has no interface for ${families.join(' or ')}`)
  return found
}

/** The rules for leases, by family. Without a lease of our own no subnet is ours. */
function rulesOf(parts: PlanParts, configuration: Configuration, own: OwnStored | undefined): SomeFamily<PeerRules> {
  const { ranges } = configuration
  const any = mapFamilies(ranges, ({ subnetMin, subnetLen }) => `${subnetMin}/${subnetLen}` as Prefix)
  const inputs = bareInputs(parts, configuration, own, [])
  const selves = selvesOf({ ...inputs, subnets: own?.subnets ?? any })
  const configs = new BackendConfigs(parts.backends)
  return peerRules({
    inputs,
    own,
    selves: () => selves,
    configured: (type) => configs.find(type, configuration),
  })
}

/**
 * What is decided elsewhere: by the operator, whom to shut out; and by the daemon, which of several claims on one MAC is accepted.
 * It saw who claimed it first, and whose lease is renewed; what is stored does not show that.
 */
function decisionsOf({ options, believed }: PlanParts, content: StoreContent): Partial<PeerRules> {
  const shutOut = new Set(content.shutOut)
  const holds = (key: string): boolean => {
    const named = decodeKey(options.etcdPrefix, key)
    return believed === undefined || (named.ok && valuesOf(named.value).some((subnet) => believed.has(subnet)))
  }
  return { shutOut: (address) => shutOut.has(address), alive: holds }
}

function entryOf({ key, text, createRevision, modRevision, etcdLease }: StoredLease): StoreEntry {
  return { key, value: Buffer.from(text), createRevision, modRevision, lease: etcdLease }
}
