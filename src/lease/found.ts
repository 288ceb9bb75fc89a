// What a claim is decided from: who we are, the leases there are, and the one we hold.
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { SubnetRange } from './allocate.ts'
import type { LeaseKey, LeaseValue } from './lease.ts'

/** What we want: who we are, where a subnet may lie, what its lease shall say. */
export interface Claim {
  readonly hostId: string
  readonly publicAddress: Address
  readonly ranges: { readonly ipv4: SubnetRange; readonly ipv6: SubnetRange | undefined }
  /** Subnets we had before (FLANNEL_SUBNET of subnet.env): asked for again when free. */
  readonly previousSubnet: Prefix | undefined
  readonly previousSubnet6: Prefix | undefined
  /** While another host has `previousSubnet`, wait for it rather than claim another. */
  readonly insists?: boolean
  /** The lease's whole value, with our host id and public addresses. */
  readonly value: (key: LeaseKey) => LeaseValue
}

/** Our lease as it stands in etcd. */
export interface OwnLease extends LeaseKey {
  /** The whole etcd key. */
  readonly key: string
  /** Revision of our last write, decimal. */
  readonly modRevision: string
  /** "0" for a reservation, which never expires. */
  readonly etcdLease: string
  readonly value: LeaseValue
}

/** A lease as found; `value` is undefined when it cannot be read, its subnet is taken all the same. */
export interface Found extends LeaseKey {
  readonly key: string
  readonly text: string
  readonly value: LeaseValue | undefined
  readonly modRevision: string
  readonly etcdLease: string
  /** What went wrong in our own code when it was read. */
  readonly bug?: string
}
