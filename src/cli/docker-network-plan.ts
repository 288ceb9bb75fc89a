// A user-defined bridge network for the leased subnet: what it has to be, and how one that exists differs. Pure.
import { OperatorError, show } from '../errors.ts'
import { type Prefix, nth, overlaps, parsePrefix } from '../ip/prefix.ts'
import { printable } from '../text/plain-text.ts'
import { field } from './docker-engine.ts'
import type { LeasedSubnet } from './leased-subnet.ts'

/** The body of POST /networks/create. */
export interface NetworkRequest {
  readonly Name: string
  /** Engines up to 23 make a second network of the same name without. */
  readonly CheckDuplicate: true
  readonly Driver: 'bridge'
  readonly IPAM: { readonly Driver: 'default'; readonly Config: readonly [{ Subnet: string; Gateway: string }] }
  readonly Options: Readonly<Record<string, string>>
}

const MTU = 'com.docker.network.driver.mtu'
const MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade'

/** The network this lease asks for. */
export function networkFor(name: string, { subnet, mtu, ipMasq }: LeasedSubnet): NetworkRequest {
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: 'bridge',
    IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: nth(subnet, 1) }] },
    // As docker-opts' --ip-masq: one of the two masquerades.
    Options: { [MTU]: String(mtu), [MASQUERADE]: String(!ipMasq) },
  }
}

/** How a network, as the engine lists it, differs from the wanted one: "mtu: 1500, should be 1450" each. */
export function differences(found: unknown, wanted: NetworkRequest): readonly string[] {
  const options = field(found, 'Options')
  const [first, ...further] = configsOf(found)
  const [{ Subnet, Gateway }] = wanted.IPAM.Config
  const pairs: readonly (readonly [what: string, found: unknown, wanted: string])[] = [
    ['driver', field(found, 'Driver'), wanted.Driver],
    ['subnet', field(first, 'Subnet'), Subnet],
    // Engines may leave out a gateway they chose, which is the first address.
    ['gateway', field(first, 'Gateway') ?? Gateway, Gateway],
    // Absent is the engine's default: 1500 unless dockerd is configured otherwise; to masquerade.
    ['mtu', field(options, MTU) ?? 'not set', wanted.Options[MTU] ?? ''],
    ['masquerade', field(options, MASQUERADE) ?? 'true', wanted.Options[MASQUERADE] ?? ''],
    ['internal', String(field(found, 'Internal') === true), 'false'],
    ['further subnets', further.map((one) => text(field(one, 'Subnet'))).join(','), ''],
  ]
  return pairs
    .filter(([, is, should]) => is !== should)
    .map(([what, is, should]) => `${what}: ${text(is)}, should be ${text(should)}`)
}

/** Throws OperatorError when another network has addresses of the subnet: no engine makes a second bridge there. */
export function refuseOverlap(networks: readonly unknown[], name: string, subnet: Prefix): void {
  for (const network of networks) {
    const other = field(network, 'Name')
    if (other === name || !subnetsOf(network).some((its) => overlaps(its, subnet))) continue
    throw new OperatorError(
      other === 'bridge'
        ? `docker network ${name}: docker0 has ${subnet} already (dockerd --bip): two bridges cannot share a subnet: use ` +
            'the default network, or start dockerd without --bip'
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
