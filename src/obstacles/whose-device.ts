// Whose a device is that has a name of ours: an earlier run's, ours or Go's, or that of another network on this host. Pure.
// Names alone say nothing: every flannel calls its device flannel.1.
import type { Address } from '../ip/address.ts'
import type { Mac } from '../ip/mac.ts'
import { type Prefix, addressOf, contains } from '../ip/prefix.ts'
import { FLANNEL_PROTOCOL, type LinkType } from '../kernel/state.ts'

/** A device as found, with what hangs on it. */
export interface FoundDevice {
  readonly name: string
  /** Kind as ip-link(8) names it. */
  readonly type: string
  readonly mac: Mac | undefined
  /** The bridge or bond it is a port of; '' for none. */
  readonly master: string
  /** Link-local ones left out. */
  readonly addresses: readonly Address[]
  /** Those not of the kernel's own. */
  readonly routes: readonly { readonly destination: Prefix; readonly protocol: number }[]
}

/** What identifies a device of ours. */
export interface DeviceEvidence {
  /** The type of the device we want. */
  readonly type: LinkType
  /** The networks we shall be in, one a family: a device may carry another family than its outer packets have. */
  readonly networks: readonly Prefix[]
  /** The subnets of the run before (subnet.env), which may have been in other networks. */
  readonly previousSubnets: readonly Prefix[]
  /** Whether a MAC is one that hosts of our network have published, or that this host would make up. */
  readonly isOurMac: (mac: Mac) => boolean
}

/** What a device carries that makes it another's, as a phrase for people; undefined when it is free, or ours to go on with. */
export function strangersOn(device: FoundDevice, evidence: DeviceEvidence): string | undefined {
  if (device.type !== evidence.type)
    return `it is ${device.type === '' ? 'hardware' : `a device of kind ${device.type}`}`
  if (device.master !== '') return `it is a port of ${device.master}`
  const carried = [...device.addresses.map(String), ...device.routes.map(({ destination }) => destination)]
  const [first] = carried
  if (first === undefined || isOurs(device, evidence)) return undefined
  return `it carries ${first}${carried.length > 1 ? ` and ${carried.length - 1} more` : ''}, not of ${evidence.networks.join(' and ')}`
}

function isOurs(
  { mac, addresses, routes }: FoundDevice,
  { networks, previousSubnets, isOurMac }: DeviceEvidence,
): boolean {
  const isInside = (what: Address | Prefix): boolean => networks.some((network) => contains(network, what))
  if (addresses.some(isInside) || routes.some(({ destination }) => isInside(destination))) return true
  if (mac !== undefined && isOurMac(mac)) return true
  // Another program called flannel may write subnet.env, but no routes with our protocol number.
  const before = previousSubnets.some((subnet) => addresses.includes(addressOf(subnet)))
  return before && routes.some(({ protocol }) => protocol === FLANNEL_PROTOCOL)
}
