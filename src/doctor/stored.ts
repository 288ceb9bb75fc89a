// What doctor reads of etcd.
import type { EtcdCause } from '../errors.ts'
import type { Alarm } from '../etcd/alarms.ts'
import type { Address } from '../ip/address.ts'

/** What etcd answers, asked with fresh connections. */
export interface StoreFacts {
  /** Each asked separately. */
  readonly endpoints: readonly {
    readonly url: string
    /** Median of a few reads, milliseconds. */
    readonly roundTripMs: number | undefined
    readonly error: { readonly why: EtcdCause; readonly text: string } | undefined
  }[]
  readonly content: StoreContent | undefined
  /** Why there is no content. */
  readonly error: string | undefined
  /** Alarms of etcd; absent when it could not be asked. */
  readonly alarms?: readonly Alarm[] | undefined
}

/** What is stored. */
export interface StoreContent {
  readonly revision: string
  /** The text of the config key. */
  readonly config: string | undefined
  readonly leases: readonly StoredLease[]
  /** Addresses that an operator has shut out; absent from a daemon that knows of none. */
  readonly shutOut?: readonly Address[]
  /** Of the etcd lease of this host's own lease, in seconds; undefined when it has none or it is gone. */
  readonly ownTtl: { readonly remaining: number; readonly granted: number } | undefined
}

/** A lease as stored. */
export interface StoredLease {
  readonly key: string
  readonly text: string
  readonly createRevision: string
  readonly modRevision: string
  /** "0" for a reservation. */
  readonly etcdLease: string
}
