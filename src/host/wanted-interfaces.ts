// The interfaces that a network config needs of this host: one for each of its families. Pure.
import type { ExternalInterface } from '../backend.ts'
import { type OperatorError, messageOf } from '../errors.ts'
import type { Family } from '../ip/address.ts'
import { type ByFamily, type SomeFamily, byFamily, familiesOf, inFamily, some } from '../ip/by-family.ts'

/** The families in which a network config has networks. */
interface Wanting {
  readonly ranges: SomeFamily<unknown>
}

/** Those of a host's interfaces that a config has a use for. */
export function wantedOf<T>({ ranges }: Wanting, externals: ByFamily<T>): ByFamily<T> {
  return byFamily((family) => (inFamily(ranges, family) === undefined ? undefined : inFamily(externals, family)))
}

/**
 * An interface for each family of a config: the one there is in `known`, else what `choose` finds; or why a family has none, as one
 * line.
 */
export function externalsFor(
  { ranges }: Wanting,
  known: ByFamily<ExternalInterface>,
  choose: (family: Family) => ExternalInterface | OperatorError,
): SomeFamily<ExternalInterface> | string {
  const found = new Map<Family, ExternalInterface>()
  for (const family of familiesOf(ranges)) {
    const external = inFamily(known, family) ?? choose(family)
    if (external instanceof Error) return lacking(family, messageOf(external))
    found.set(family, external)
  }
  return some(byFamily((family) => found.get(family))) ?? 'network config: it has no network'
}

function lacking(family: Family, why: string): string {
  return `network config: EnableIPv${family}: true, but ${why}: give this host an IPv${family} address that the others reach, or set EnableIPv${family} to false`
}
