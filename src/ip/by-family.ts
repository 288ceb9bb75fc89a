// Values that exist once per address family: a host's subnets, its addresses, the ranges it leases from.
// Only src/ip, codecs and texts of other programs name a family; everything else asks here for what there is.
import type { Family } from './address.ts'
import { type Prefix, prefixFamily } from './prefix.ts'

/** All families, in the order in which they are named and tried. */
export const FAMILIES: readonly [Family, ...Family[]] = [4, 6]

/** 6 for 4, and 4 for 6. */
export function otherFamily(family: Family): Family {
  return family === 4 ? 6 : 4
}

/** A value for each family that has one. Both fields are always there, so that all of them have one shape. */
export interface ByFamily<T> {
  readonly ipv4: T | undefined
  readonly ipv6: T | undefined
}

/** The same with a value for one family at least. */
export type SomeFamily<T> =
  { readonly ipv4: T; readonly ipv6: T | undefined } | { readonly ipv4: T | undefined; readonly ipv6: T }

/** Nothing in either family. */
export const NEITHER: ByFamily<never> = { ipv4: undefined, ipv6: undefined }

/** The value of one family. */
export function inFamily<T>(values: ByFamily<T>, family: Family): T | undefined {
  return family === 4 ? values.ipv4 : values.ipv6
}

/** A value for one family and none for the other. */
export function only<T>(family: Family, value: T): SomeFamily<T> {
  return family === 4 ? { ipv4: value, ipv6: undefined } : { ipv4: undefined, ipv6: value }
}

/** One subnet, under its family. */
export function onlySubnet(subnet: Prefix): SomeFamily<Prefix> {
  return only(prefixFamily(subnet), subnet)
}

/** What `make` gives for each family. */
export function byFamily<T>(make: (family: Family) => T | undefined): ByFamily<T> {
  return { ipv4: make(4), ipv6: make(6) }
}

/** `values` if there is one for a family at least. */
export function some<T>(values: ByFamily<T>): SomeFamily<T> | undefined {
  const { ipv4, ipv6 } = values
  if (ipv4 !== undefined) return { ipv4, ipv6 }
  return ipv6 === undefined ? undefined : { ipv4, ipv6 }
}

/** The value shown for all where there is room for one: that of IPv4 where there is one. */
export function first<T>(values: SomeFamily<T>): T {
  return values.ipv4 ?? (values.ipv6 as T)
}

/** The families that have a value. */
export function familiesOf(values: ByFamily<unknown>): readonly Family[] {
  return FAMILIES.filter((family) => inFamily(values, family) !== undefined)
}

/** The values there are. */
export function valuesOf<T>(values: ByFamily<T>): readonly T[] {
  const { ipv4, ipv6 } = values
  if (ipv6 === undefined) return ipv4 === undefined ? [] : [ipv4]
  return ipv4 === undefined ? [ipv6] : [ipv4, ipv6]
}

/** The same families with other values. */
export function mapFamilies<T extends object | string | number, U>(
  values: SomeFamily<T>,
  change: (value: T, family: Family) => U,
): SomeFamily<U>
export function mapFamilies<T, U>(values: ByFamily<T>, change: (value: T, family: Family) => U | undefined): ByFamily<U>
export function mapFamilies<T, U>({ ipv4, ipv6 }: ByFamily<T>, change: (value: T, family: Family) => U): ByFamily<U> {
  return {
    ipv4: ipv4 === undefined ? undefined : change(ipv4, 4),
    ipv6: ipv6 === undefined ? undefined : change(ipv6, 6),
  }
}

/** The same, and those of `others` for families that have none. */
export function orElse<T>(values: SomeFamily<T>, others: ByFamily<T>): SomeFamily<T> {
  const { ipv4, ipv6 } = values
  if (ipv4 === undefined) return { ipv4: others.ipv4, ipv6: ipv6 as T }
  return { ipv4, ipv6: ipv6 ?? others.ipv6 }
}

/** Whether a family has a value in both, and `test` holds for the two. */
export function anyFamily<T, U>(a: ByFamily<T>, b: ByFamily<U>, test: (a: T, b: U) => boolean): boolean {
  if (a.ipv4 !== undefined && b.ipv4 !== undefined && test(a.ipv4, b.ipv4)) return true
  return a.ipv6 !== undefined && b.ipv6 !== undefined && test(a.ipv6, b.ipv6)
}
