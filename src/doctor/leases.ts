// The leases of a reading as values; what cannot be read is left out. Pure.
import { decodeKey, decodeValue } from '../lease/codec.ts'
import type { LeaseValue, Subnets } from '../lease/lease.ts'
import type { StoreContent } from './stored.ts'

/** A lease that says something. */
export interface DecodedLease {
  readonly subnets: Subnets
  readonly key: string
  readonly value: LeaseValue
}

/** All that can be read. */
export function decodedLeases(prefix: string, { leases }: StoreContent): readonly DecodedLease[] {
  return leases.flatMap(({ key, text }) => {
    const named = decodeKey(prefix, key)
    const value = decodeValue(Buffer.from(text))
    return named.ok && value.ok ? [{ subnets: named.value, key, value: value.value }] : []
  })
}
