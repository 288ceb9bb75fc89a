// The plan: everything computed from a session's inputs, in one place and pure. It holds the kernel objects, the lease's value, the
// contents of subnet.env, the firewall rules and the guard.
import type { PlanInputs } from './inputs.ts'
import type { AnyBackend, Peer, Self } from '../backend.ts'
import { doorsOf } from './doors.ts'
import { type Entrance, entrancesOf, guardedOf, overlayOf } from './entrances.ts'
import { equal } from '../equal.ts'
import type { GuardWish } from '../firewall/nftables/guard.ts'
import type { Guarded } from '../firewall/nftables/guard-ruleset.ts'
import type { FirewallInput } from '../firewall/iptables/rules.ts'
import type { Claim } from '../lease/found.ts'
import { type LeaseValue, leaseTypeOf } from '../lease/lease.ts'
import type { Prefix } from '../ip/prefix.ts'
import { type KernelObject, type VxlanLink, isVxlan } from '../kernel/state.ts'
import type { Options } from '../options/type.ts'
import { sendersOf } from './peer-senders.ts'
import { type HostSelf, type Intent, hostObjects } from '../reconcile/intent.ts'
import type { SubnetEnv } from '../host/subnet-env.ts'
import {
  type ByFamily,
  type SomeFamily,
  byFamily,
  inFamily,
  mapFamilies,
  otherFamily,
  some,
  valuesOf,
} from '../ip/by-family.ts'

/** Networks with at least this many peers use nexthop objects for their routes; below, entries are exactly Go's. */
const NEXTHOPS_FROM = 500

/** Whether to use nexthop objects. They stay in use down to half the size, so that one peer more or less never rewrites all routes. */
export function useNexthops(option: Options['nexthopObjects'], known: boolean, peers: number, now: boolean): boolean {
  if (!known || option === 'never') return false
  return option === 'always' || peers >= (now ? NEXTHOPS_FROM / 2 : NEXTHOPS_FROM)
}

/** Our host in each family in which there are a network, a subnet of ours and an interface. */
export function selvesOf(inputs: PlanInputs): SomeFamily<HostSelf> {
  const { configuration, subnets, externals, hostId, keptMacs, nexthops, prepared } = inputs
  const selves = byFamily((family): HostSelf | undefined => {
    const [range, subnet] = [inFamily(configuration.ranges, family), inFamily(subnets, family)]
    const external = inFamily(externals, family)
    if (range === undefined || subnet === undefined || external === undefined) return undefined
    const otherExternal = inFamily(externals, otherFamily(family))
    const host = { hostId, keptMacs, nexthops, prepared }
    return { family, network: range.network, subnet, external, otherExternal, ...host }
  })
  const found = some(selves)
  if (found === undefined) throw new Error(`network config: no network has the family of ${valuesOf(subnets).join()}`)
  return found
}

/** What our own backend computes for our host in each family. */
function ofOwn<T>(inputs: PlanInputs, tell: (backend: AnyBackend, self: Self<unknown>) => T): SomeFamily<T> {
  const { backend, config } = inputs.configuration.own
  return mapFamilies(selvesOf(inputs), (self) => tell(backend, { ...self, config }))
}

export function intentOf(inputs: PlanInputs): Intent {
  return {
    active: [inputs.configuration.own, ...inputs.others],
    selves: selvesOf(inputs),
    blackhole: inputs.options.ipBlackholeRoute,
    leftovers: inputs.leftovers,
  }
}

/** The value of our lease in etcd. */
export function leaseValueOf(inputs: PlanInputs): LeaseValue {
  const { externals, hostId } = inputs
  return {
    addresses: mapFamilies(externals, ({ publicAddress }) => publicAddress),
    backendType: leaseTypeOf(inputs.configuration.own.backend),
    backendData: ofOwn(inputs, (backend, self) => backend.leaseText?.(self) ?? backend.leaseData(self)),
    hostId,
    sourceAddresses: mapFamilies(externals, ({ address, publicAddress }) =>
      address === publicAddress ? undefined : address,
    ),
  }
}

/** Our claim in etcd. `previous` subnets are claimed again when they are free. */
export function claimOf(inputs: Omit<PlanInputs, 'subnets'>, previous: ByFamily<Prefix>): Claim {
  return {
    hostId: inputs.hostId,
    addresses: mapFamilies(inputs.externals, ({ publicAddress }) => publicAddress),
    ranges: inputs.configuration.ranges,
    previous,
    waitsForPrevious: inputs.options.onSubnetConflict === 'wait',
    value: (subnets) => leaseValueOf({ ...inputs, subnets }),
  }
}

/** The contents of subnet.env. The MTU fits the packets of every family. */
export function subnetEnvOf(inputs: PlanInputs): SubnetEnv {
  const selves = selvesOf(inputs)
  return {
    networks: mapFamilies(selves, ({ network }) => network),
    subnets: mapFamilies(selves, ({ subnet }) => subnet),
    mtu: Math.min(...valuesOf(ofOwn(inputs, (backend, self) => backend.mtu(self)))),
    ipMasq: inputs.options.ipMasq,
  }
}

/** The wanted rules. `peers` are undefined while they are not known. */
export function firewallOf(inputs: PlanInputs, peers: Iterable<Peer> | undefined): readonly FirewallInput[] {
  return rulesOf(inputs, entrancesOf(intentOf(inputs)), peers)
}

function rulesOf(
  inputs: PlanInputs,
  entrances: readonly Entrance[],
  peers: Iterable<Peer> | undefined,
): readonly FirewallInput[] {
  const { options, configuration } = inputs
  if (!options.iptablesForwardRules && !options.ipMasq) return []
  const doors = doorsOf(inputs, peers)
  return valuesOf(selvesOf(inputs)).map((self) => ({
    family: self.family,
    network: self.network,
    subnet: self.subnet,
    masquerade: options.ipMasq,
    randomFully: !options.ipMasqFullyRandomDisable,
    forward: options.iptablesForwardRules,
    nftables: configuration.network.enableNFTables,
    external: self.external.name,
    overlay: overlayOf(entrances, self, inFamily(doors, self.family) ?? []),
  }))
}

/** What is to be guarded and who may send to it; undefined where nothing is. */
export function guardOf(inputs: PlanInputs, peers: Iterable<Peer> = []): GuardWish | undefined {
  const guarded = guardedOf(entrancesOf(intentOf(inputs)), inputs.options)
  return guarded && { ...guarded, peers: [...peers].flatMap(sendersOf) }
}

function tunnelsIn(objects: readonly KernelObject[]): readonly VxlanLink[] {
  return objects.flatMap((object) => (isVxlan(object) ? [object] : []))
}

/** Everything computed from the inputs, once for each change of them. */
export interface Plan {
  readonly inputs: PlanInputs
  /** What the reconciler is given. */
  readonly intent: Intent
  /** The kernel objects this host needs, independent of peers. */
  readonly objects: readonly KernelObject[]
  /** The VXLAN devices among them: our own first, then those kept for a while after a change. */
  readonly tunnels: readonly VxlanLink[]
  /** What is to be guarded: undefined where nothing is. */
  readonly guard: Guarded | undefined
  readonly claim: Claim
  /** The value of the claimed lease. */
  readonly leaseValue: LeaseValue
  /** With the peers of the time it was computed. */
  readonly rules: readonly FirewallInput[]
  readonly subnetEnv: SubnetEnv
}

/** The plan; `peers` are undefined until they are known. The MACs of the devices it wants are kept in its inputs. */
export function planOf(given: PlanInputs, peers: Iterable<Peer> | undefined): Plan {
  const objects = hostObjects(intentOf(given))
  const tunnels = tunnelsIn(objects)
  const keptMacs = new Map([...given.keptMacs, ...tunnels.map(({ name, mac }) => [name, mac] as const)])
  const inputs = { ...given, keptMacs }
  const intent = intentOf(inputs)
  const entrances = entrancesOf(intent)
  return {
    inputs,
    intent,
    objects,
    tunnels,
    guard: guardedOf(entrances, inputs.options),
    claim: claimOf(inputs, inputs.subnets),
    leaseValue: leaseValueOf(inputs),
    rules: rulesOf(inputs, entrances, peers),
    subnetEnv: subnetEnvOf(inputs),
  }
}

/** `next`, in which parts equal to those of `before` are replaced by them: a part that is another object differs. */
export function keepEqual(before: Plan, next: Plan): Plan {
  return {
    ...next,
    intent: equal(before.intent, next.intent) ? before.intent : next.intent,
    claim: claimsSame(before, next) ? before.claim : next.claim,
    rules: equal(before.rules, next.rules) ? before.rules : next.rules,
  }
}

/** Whether two plans make the same claim. The previous subnets do not count: a moved lease is no new claim. */
function claimsSame(a: Plan, b: Plan): boolean {
  const plain = ({ claim: { hostId, addresses, ranges, waitsForPrevious }, leaseValue }: Plan): unknown => [
    hostId,
    addresses,
    ranges,
    waitsForPrevious,
    leaseValue,
  ]
  return equal(plain(a), plain(b))
}
