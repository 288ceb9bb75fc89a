// What a claim is decided from: who we are, the leases there are, and the one we hold.
import type { Address } from '../ip/address.ts'
import type { ByFamily, SomeFamily } from '../ip/by-family.ts'
import type { Prefix } from '../ip/prefix.ts'
import type { SubnetRange } from './allocate.ts'
import type { LeaseValue, Subnets } from './lease.ts'

/** What we want: who we are, where a subnet may lie, what its lease says. */
export interface Claim {
  readonly hostId: string
  readonly addresses: SomeFamily<Address>
  /** Where a subnet is wanted, and in which families. */
  readonly ranges: SomeFamily<SubnetRange>
  /** Our previous subnets (from subnet.env): claimed again when free. */
  readonly previous: ByFamily<Prefix>
  /** While another host has a previous subnet, wait for it rather than claim another. */
  readonly waitsForPrevious?: boolean
  /** The lease's value, with our host id and public addresses. */
  readonly value: (subnets: Subnets) => LeaseValue
}

/** Our lease as stored in etcd. */
export interface OwnLease {
  readonly subnets: Subnets
  /** The full etcd key. */
  readonly key: string
  /** Revision of our last write, decimal. */
  readonly modRevision: string
  /** "0" for a reservation, which never expires. */
  readonly etcdLease: string
  readonly value: LeaseValue
}

/** A lease as listed. `value` is undefined when it cannot be read; its subnet still counts as taken. */
export interface ListedLease {
  readonly subnets: Subnets
  readonly key: string
  readonly text: string
  readonly value: LeaseValue | undefined
  readonly modRevision: string
  readonly etcdLease: string
  /** The error in our own code that reading it caused. */
  readonly bug?: string
}
