// What is said of another host's lease that stands in our way.
import type { Found } from './claim.ts'

/** Whose it is. */
export function ownerOf({ value }: Found): string {
  return `${value?.publicAddress ?? 'an unknown host'}${value?.hostId === undefined ? '' : ` (host id ${value.hostId})`}`
}

/** Our subnet is another host's. */
export function lost(lease: Found): string {
  return `lease lost: ${lease.subnet} is ${ownerOf(lease)}'s now`
}

/** Our public address is another host's as well. */
export function duplicate(lease: Found): string {
  const address = lease.value?.publicAddress ?? ''
  const what = `duplicate address: ${address}: ${lease.subnet} is leased to it under host id ${lease.value?.hostId ?? ''}`
  return lease.etcdLease === '0'
    ? `${what} by a reservation; if that host is gone, run: flanneld release ${lease.subnet}`
    : `${what}, and that host lives; give one of the two another -public-ip`
}
