// The lease of a subnet as stored in etcd; lease/codec.ts reads and writes it. Keys and JSON are those of Go's flanneld, so that both
// read each other: `<prefix>/subnets/10.5.52.0-24`, dual stack `10.5.52.0-24&fc00::-64`; IPv6 alone, of which Go has none that
// works, `fc00::-64`. Unknown JSON keys are ignored by Go, so HostID, SourceIP and SourceIPv6 may be added to the known ones.
import type { AnyBackend } from '../backend.ts'
import { type Address, familyOf } from '../ip/address.ts'
import { type ByFamily, type SomeFamily, first, inFamily, valuesOf } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'

/** How long a lease lives without renewal, in seconds: a day, as Go's flanneld has it. */
export const LEASE_SECONDS = 86_400

/** The subnets of one host, as its lease's key names them. */
export type Subnets = SomeFamily<Prefix>

/** The subnet shown for a lease where there is room for one: in log lines, tables and JSON. */
export function primarySubnet({ subnets }: { readonly subnets: Subnets }): Prefix {
  return first(subnets)
}

/** All subnets of a lease, for a sentence. */
export function namesOf({ subnets }: { readonly subnets: Subnets }): string {
  return valuesOf(subnets).join(' and ')
}

/** The JSON value of a lease. */
export interface LeaseValue {
  /** What other hosts reach this one by. */
  readonly addresses: SomeFamily<Address>
  readonly backendType: string
  readonly backendData: ByFamily<unknown>
  /** Host id of the host that wrote it; undefined when it runs Go's flanneld. */
  readonly hostId: string | undefined
  /** The source of its outer packets where that is not the public address: a field of ours, which Go ignores. */
  readonly sourceAddresses: ByFamily<Address>
}

/** `BackendType` of the leases of a backend. */
export function leaseTypeOf({ type, leaseType = type }: Pick<AnyBackend, 'type' | 'leaseType'>): string {
  return leaseType
}

/** The public address shown for a host where there is room for one. */
export function primaryAddress({ addresses }: Pick<LeaseValue, 'addresses'>): Address {
  return first(addresses)
}

/** Whether a lease's host is reached by this address. */
export function hasAddress({ addresses }: Pick<LeaseValue, 'addresses'>, address: Address): boolean {
  return inFamily(addresses, familyOf(address)) === address
}
