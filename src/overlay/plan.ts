// Everything that follows from the daemon's inputs, in one place and pure: what we want of the kernel, what our lease
// says, what subnet.env says, which firewall rules hold.
import { type Inputs } from './inputs.ts'
import type { Peer, Self } from '../backend.ts'
import { doorsOf } from './doors.ts'
import type { GuardWish } from '../firewall/nftables/guard.ts'
import type { FirewallInput } from '../firewall/iptables/rules.ts'
import type { Claim } from '../lease/found.ts'
import { type LeaseValue, primarySubnet } from '../lease/lease.ts'
import { type Prefix, prefixFamily } from '../ip/prefix.ts'
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

export function selfOf(inputs: Inputs): Omit<Self<unknown>, 'config'> {
  const { configuration, subnet, external, hostId, keptMacs, nexthops } = inputs
  const { network } = primaryRange(configuration)
  return { family: prefixFamily(network), network, subnet, external, hostId, keptMacs, nexthops }
}

/** Our own backend's view of our host. */
export function ownSelf(inputs: Inputs): Self<unknown> {
  return { ...selfOf(inputs), config: inputs.configuration.own.config }
}

export function intentOf(inputs: Inputs): Intent {
  return {
    active: [inputs.configuration.own, ...inputs.others],
    self: selfOf(inputs),
    blackhole: inputs.options.ipBlackholeRoute,
    leftovers: inputs.leftovers,
  }
}

/** What our lease says in etcd. */
export function leaseValueOf(inputs: Inputs): LeaseValue {
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
export function claimOf(inputs: Omit<Inputs, 'subnet'>, previous: ByFamily<Prefix>): Claim {
  return {
    hostId: inputs.hostId,
    addresses: only(inputs.external.family, inputs.external.publicAddress),
    ranges: { ipv4: primaryRange(inputs.configuration), ipv6: undefined },
    previous,
    waitsForPrevious: inputs.options.onSubnetConflict === 'wait',
    value: (subnets) => leaseValueOf({ ...inputs, subnet: primarySubnet({ subnets }) }),
  }
}

export function subnetEnvOf(inputs: Inputs): SubnetEnv {
  return {
    networks: mapFamilies(inputs.configuration.ranges, ({ network }) => network),
    subnets: onlySubnet(inputs.subnet),
    mtu: inputs.configuration.own.backend.mtu(ownSelf(inputs)),
    ipMasq: inputs.options.ipMasq,
  }
}

/** The rules wanted, with these peers; without, they are not known yet. */
export function firewallOf(inputs: Inputs, peers: Iterable<Peer> | undefined): readonly FirewallInput[] {
  const { options, configuration, subnet, external } = inputs
  if (!options.iptablesForwardRules && !options.ipMasq) return []
  const doors = doorsOf(inputs, peers)
  const tunnels = hostObjects(intentOf(inputs)).flatMap((object) => (object.kind === 'link' ? [object.name] : []))
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
        ...tunnels.map((name) => ({ name, shared: false, from: [primaryRange(configuration).network] })),
        ...(doors.length > 0 ? [{ name: external.name, shared: true, from: doors }] : []),
      ],
    },
  ]
}

/** The VXLAN port to guard and who may send to it; undefined when there is none, or nobody wants a guard. */
export function guardOf(inputs: Inputs, peers: Iterable<Peer> = []): GuardWish | undefined {
  if (!inputs.options.vxlanGuard) return undefined
  const link = hostObjects(intentOf(inputs)).find((object) => object.kind === 'link')
  if (link?.kind !== 'link') return undefined
  const { external, configuration } = inputs
  return {
    port: link.port,
    vni: link.vni,
    device: link.name,
    network: primaryRange(configuration).network,
    own: [...new Set([external.address, external.publicAddress])],
    allowed: inputs.options.vxlanGuardAllow,
    peers: [...peers].flatMap(sendersOf),
  }
}
