// How a finding names the family it is about.
import type { Family } from '../ip/address.ts'
import { type ByFamily, familiesOf } from '../ip/by-family.ts'

/** " for IPv6" on a host with two families; nothing on one with one, where nobody would ask. */
export function forFamily(host: ByFamily<unknown>, family: Family): string {
  return familiesOf(host).length > 1 ? ` for IPv${family}` : ''
}
