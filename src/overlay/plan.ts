// Everything that follows from the daemon's inputs, in one place and pure: what we want of the kernel, what our lease
// says, what subnet.env says, which firewall rules hold.
import { type PlanInputs } from './inputs.ts'
import type { Peer, Self } from '../backend.ts'
import { doorsOf } from './doors.ts'
import { equal } from '../equal.ts'
import type { GuardWish } from '../firewall/nftables/guard.ts'
import type { GuardedPort } from '../firewall/nftables/guard-ruleset.ts'
import type { FirewallInput } from '../firewall/iptables/rules.ts'
import type { Claim } from '../lease/found.ts'
import { type LeaseValue, primarySubnet } from '../lease/lease.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
import type { KernelObject, VxlanLink } from '../kernel/state.ts'
import type { Options } from '../options/type.ts'
import { sendersOf } from './peer-senders.ts'
import { type Intent, hostObjects } from '../reconcile/intent.ts'
import type { SubnetEnv } from '../host/subnet-env.ts'
import { type ByFamily, NEITHER, only, withOther, mapFamilies, onlySubnet } from '../ip/by-family.ts'
import { primaryRange } from '../network-config/configuration.ts'

/** Clusters from this size on have their routes go through nexthop objects; below, entries are exactly Go's. */
const NEXTHOPS_FROM = 500

/** Whether to use nexthop objects; half the size keeps what is in use, so that one peer more or less never rewrites all. */
export function useNexthops(option: Options['nexthopObjects'], known: boolean, peers: number, now: boolean): boolean {
  if (!known || option === 'never') return false
  return option === 'always' || peers >= (now ? NEXTHOPS_FROM / 2 : NEXTHOPS_FROM)
}

export function selfOf(inputs: PlanInputs): Omit<Self<unknown>, 'config'> {
  const { configuration, subnet, external, hostId, keptMacs, nexthops } = inputs
  const { network } = primaryRange(configuration)
  return { family: prefixFamily(network), network, subnet, external, hostId, keptMacs, nexthops }
}

/** Our own backend's view of our host. */
export function ownSelf(inputs: PlanInputs): Self<unknown> {
  return { ...selfOf(inputs), config: inputs.configuration.own.config }
}

export function intentOf(inputs: PlanInputs): Intent {
  return {
    active: [inputs.configuration.own, ...inputs.others],
    self: selfOf(inputs),
    blackhole: inputs.options.ipBlackholeRoute,
    leftovers: inputs.leftovers,
  }
}

/** What our lease says in etcd. */
export function leaseValueOf(inputs: PlanInputs): LeaseValue {
  const { external, hostId } = inputs
  const { family } = external
  const { backend } = inputs.configuration.own
  return {
    addresses: withOther(family, external.publicAddress, external.otherPublicAddress),
    backendType: backend.type,
    backendData: only(family, backend.leaseData(ownSelf(inputs))),
    hostId,
    sourceAddresses: external.address === external.publicAddress ? NEITHER : only(family, external.address),
  }
}

/** What we claim in etcd; `previous` subnets are claimed again when they are free. */
export function claimOf(inputs: Omit<PlanInputs, 'subnet'>, previous: ByFamily<Prefix>): Claim {
  return {
    hostId: inputs.hostId,
    addresses: only(inputs.external.family, inputs.external.publicAddress),
    ranges: { ipv4: primaryRange(inputs.configuration), ipv6: undefined },
    previous,
    waitsForPrevious: inputs.options.onSubnetConflict === 'wait',
    value: (subnets) => leaseValueOf({ ...inputs, subnet: primarySubnet({ subnets }) }),
  }
}

export function subnetEnvOf(inputs: PlanInputs): SubnetEnv {
  return {
    networks: mapFamilies(inputs.configuration.ranges, ({ network }) => network),
    subnets: onlySubnet(inputs.subnet),
    mtu: inputs.configuration.own.backend.mtu(ownSelf(inputs)),
    ipMasq: inputs.options.ipMasq,
  }
}

/** The rules wanted, with these peers; without, they are not known yet. */
export function firewallOf(inputs: PlanInputs, peers: Iterable<Peer> | undefined): readonly FirewallInput[] {
  return rulesOf(inputs, tunnelsIn(hostObjects(intentOf(inputs))), peers)
}

function rulesOf(
  inputs: PlanInputs,
  tunnels: readonly VxlanLink[],
  peers: Iterable<Peer> | undefined,
): readonly FirewallInput[] {
  const { options, configuration, subnet, external } = inputs
  if (!options.iptablesForwardRules && !options.ipMasq) return []
  const doors = doorsOf(inputs, peers)
  return [
    {
      family: 4,
      network: primaryRange(configuration).network,
      subnet,
      masquerade: options.ipMasq,
      randomFully: !options.ipMasqFullyRandomDisable,
      forward: options.iptablesForwardRules,
      nftables: configuration.network.enableNFTables,
      external: external.name,
      overlay: [
        ...tunnels.map(({ name }) => ({ name, shared: false, from: [primaryRange(configuration).network] })),
        ...(doors.length > 0 ? [{ name: external.name, shared: true, from: doors }] : []),
      ],
    },
  ]
}

/** The VXLAN port to guard and who may send to it; undefined when there is none, or nobody wants a guard. */
export function guardOf(inputs: PlanInputs, peers: Iterable<Peer> = []): GuardWish | undefined {
  const guard = guardedPort(inputs, tunnelsIn(hostObjects(intentOf(inputs))))
  return guard && { ...guard, peers: [...peers].flatMap(sendersOf) }
}

function guardedPort(inputs: PlanInputs, [tunnel]: readonly VxlanLink[]): GuardedPort | undefined {
  const { external, configuration, options } = inputs
  if (!options.vxlanGuard || tunnel === undefined) return undefined
  return {
    port: tunnel.port,
    vni: tunnel.vni,
    device: tunnel.name,
    network: primaryRange(configuration).network,
    own: [...new Set([external.address, external.publicAddress])],
    allowed: options.vxlanGuardAllow,
  }
}

function tunnelsIn(objects: readonly KernelObject[]): readonly VxlanLink[] {
  return objects.flatMap((object) => (object.kind === 'link' ? [object] : []))
}

/** Everything that follows from the inputs, computed once for each change of them. */
export interface Plan {
  readonly inputs: PlanInputs
  /** What the reconciler gets. */
  readonly intent: Intent
  /** What this host needs in the kernel, whoever the peers are. */
  readonly objects: readonly KernelObject[]
  /** The VXLAN devices among them: our own first, then those kept for a while after a change. */
  readonly tunnels: readonly VxlanLink[]
  /** The VXLAN port to guard, where there is one and a guard is wanted. */
  readonly guard: GuardedPort | undefined
  readonly claim: Claim
  /** What the claim says of our subnet. */
  readonly leaseValue: LeaseValue
  /** As the peers were when it was computed. */
  readonly rules: readonly FirewallInput[]
  readonly subnetEnv: SubnetEnv
}

/** The plan; `peers` are undefined until they are known. The MACs of the devices it wants are kept in its inputs. */
export function planOf(given: PlanInputs, peers: Iterable<Peer> | undefined): Plan {
  const objects = hostObjects(intentOf(given))
  const tunnels = tunnelsIn(objects)
  const keptMacs = new Map([...given.keptMacs, ...tunnels.map(({ name, mac }) => [name, mac] as const)])
  const inputs = { ...given, keptMacs }
  return {
    inputs,
    intent: intentOf(inputs),
    objects,
    tunnels,
    guard: guardedPort(inputs, tunnels),
    claim: claimOf(inputs, onlySubnet(inputs.subnet)),
    leaseValue: leaseValueOf(inputs),
    rules: rulesOf(inputs, tunnels, peers),
    subnetEnv: subnetEnvOf(inputs),
  }
}

/** `next` with those parts of `before` that are equal, so that a part that differs is another object. */
export function keepEqual(before: Plan, next: Plan): Plan {
  return {
    ...next,
    intent: equal(before.intent, next.intent) ? before.intent : next.intent,
    claim: claimsSame(before, next) ? before.claim : next.claim,
    rules: equal(before.rules, next.rules) ? before.rules : next.rules,
  }
}

/** Whether two plans claim the same; a lease that moved claims no other for that. */
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
