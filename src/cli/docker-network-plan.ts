// A user-defined bridge network for the leased subnet: what it has to be, and how one that exists differs. Pure.
import { OperatorError, show } from '../errors.ts'
import type { Address, Family } from '../ip/address.ts'
import { FAMILIES, valuesOf } from '../ip/by-family.ts'
import { type Prefix, nth, overlaps, parsePrefix, prefixFamily } from '../ip/prefix.ts'
import { printable } from '../text/plain-text.ts'
import { field } from './docker-engine.ts'
import { type LeasedSubnet, dockerMasquerades } from './leased-subnet.ts'

/** The addresses of one family. */
interface PoolRequest {
  readonly Subnet: Prefix
  readonly Gateway: Address
}

/** The body of POST /networks/create. */
export interface NetworkRequest {
  readonly Name: string
  /** Engines up to 23 make a second network of the same name without. */
  readonly CheckDuplicate: true
  readonly Driver: 'bridge'
  readonly EnableIPv6: boolean
  readonly IPAM: { readonly Driver: 'default'; readonly Config: readonly PoolRequest[] }
  readonly Options: Readonly<Record<string, string>>
}

/** What puts docker0 into a subnet. */
const FLAGS: Readonly<Record<Family, string>> = { 4: '--bip', 6: '--fixed-cidr-v6' }

const MTU = 'com.docker.network.driver.mtu'
const MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade'

/** The network this lease asks for. */
export function networkFor(name: string, lease: LeasedSubnet): NetworkRequest {
  const subnets = valuesOf(lease.subnets)
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    // An engine gives every network an IPv4 subnet: one of its own where none is leased.
    EnableIPv6: subnets.some(isLate),
    IPAM: { Driver: 'default', Config: subnets.map((subnet) => ({ Subnet: subnet, Gateway: nth(subnet, 1) })) },
    // As docker-opts' --ip-masq: one of the two masquerades.
    Options: { [MTU]: String(lease.mtu), [MASQUERADE]: String(dockerMasquerades(lease)) },
  }
}

/** Whether networks have to be asked for addresses of its family: those of IPv4 come unasked. */
function isLate(subnet: Prefix): boolean {
  return prefixFamily(subnet) !== FAMILIES[0]
}

/** How a network, as the engine lists it, differs from the wanted one: "mtu: 1500, should be 1450" each. */
export function differences(found: unknown, wanted: NetworkRequest): readonly string[] {
  const options = field(found, 'Options')
  const pairs: readonly Pair[] = [
    ['driver', field(found, 'Driver'), wanted.Driver],
    ...poolPairs(configsOf(found), wanted.IPAM.Config),
    ['IPv6', String(field(found, 'EnableIPv6') === true), String(wanted.EnableIPv6)],
    // Absent is the engine's default: 1500 unless dockerd is configured otherwise; to masquerade.
    ['mtu', field(options, MTU) ?? 'not set', wanted.Options[MTU] ?? ''],
    ['masquerade', field(options, MASQUERADE) ?? 'true', wanted.Options[MASQUERADE] ?? ''],
    ['internal', String(field(found, 'Internal') === true), 'false'],
  ]
  return pairs
    .filter(([, is, should]) => is !== should)
    .map(([what, is, should]) => `${what}: ${text(is)}, should be ${text(should)}`)
}

type Pair = readonly [what: string, found: unknown, wanted: string]

/** Subnets and gateways, each beside that of its family. */
function poolPairs(found: readonly unknown[], wanted: readonly PoolRequest[]): readonly Pair[] {
  const left = new Set(found)
  const pairs = wanted.flatMap(({ Subnet, Gateway }): readonly Pair[] => {
    const pool = [...left].find((one) => familyIn(one) === prefixFamily(Subnet)) ?? {}
    left.delete(pool)
    return [
      ['subnet', field(pool, 'Subnet') ?? 'none', Subnet],
      // Engines may leave out a gateway they chose, which is the first address.
      ['gateway', field(pool, 'Gateway') ?? Gateway, Gateway],
    ]
  })
  // Where no IPv4 subnet is leased, the engine chooses one.
  const chosen = wanted.every(({ Subnet }) => isLate(Subnet))
  const further = [...left].filter((one) => !chosen || familyIn(one) !== FAMILIES[0])
  return [...pairs, ['further subnets', further.map((one) => text(field(one, 'Subnet'))).join(','), '']]
}

/** The family of a pool; undefined where it names no subnet. */
function familyIn(pool: unknown): Family | undefined {
  const subnet = field(pool, 'Subnet')
  const parsed = typeof subnet === 'string' ? parsePrefix(subnet) : undefined
  return parsed && prefixFamily(parsed)
}

/** Throws OperatorError when another network has addresses of the subnet: no engine makes a second bridge there. */
export function refuseOverlap(networks: readonly unknown[], name: string, subnets: readonly Prefix[]): void {
  for (const network of networks) {
    const other = field(network, 'Name')
    const subnet = subnets.find((ours) => subnetsOf(network).some((its) => overlaps(its, ours)))
    if (other === name || subnet === undefined) continue
    throw new OperatorError(
      other === 'bridge'
        ? `docker network ${name}: docker0 has ${subnet} already (dockerd ${FLAGS[prefixFamily(subnet)]}): two bridges cannot share a subnet: use ` +
            `the default network, or start dockerd without ${FLAGS[prefixFamily(subnet)]}`
        : `docker network ${name}: network ${text(other)} has ${subnet} already: remove it or name it instead`,
    )
  }
}

function subnetsOf(network: unknown): readonly Prefix[] {
  return configsOf(network).flatMap((config) => {
    const subnet = field(config, 'Subnet')
    return typeof subnet === 'string' ? (parsePrefix(subnet) ?? []) : []
  })
}

function configsOf(network: unknown): readonly unknown[] {
  const configs: unknown = field(field(network, 'IPAM'), 'Config')
  return Array.isArray(configs) ? (configs as readonly unknown[]) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? printable(value, 80) || 'none' : show(value)
}
