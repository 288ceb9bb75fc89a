// Who gets what only one host may have, such as a VTEP MAC: of several claimants the oldest whose host lives. Anyone
// who may write a lease can claim anything in it, but cannot predate another claim. A host that moved leaves its old lease behind: it
// gets its MAC when that one is no longer renewed. Pure; subnets stand for the leases that hold them.
// Invariant: the outcome depends on who claims, not on the order in which they came.
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'

/** What is claimed: a value that is exclusive among the leases of a backend type. */
export interface Resource {
  readonly type: string
  readonly what: string
}

/** A lease that claims something. */
export interface Claimant {
  readonly publicAddress: Address
  /** Revision since when it claims this. */
  readonly claimed: number
  /** Whether its host renews it. */
  readonly alive: boolean
}

/** The claims on everything exclusive. */
export class ExclusiveClaims {
  /** Claimants by backend type and claim; nearly always one, stored by itself. */
  readonly #claims = new Map<string, Map<string, Prefix | Set<Prefix>>>()
  readonly #unsettled = new Map<string, Resource>()
  /** Resources with more than one claimant. */
  readonly #contested = new Map<string, Resource>()

  /** The subnets that claim something. */
  claimants({ type, what }: Resource): readonly Prefix[] {
    const found = this.#claims.get(type)?.get(what) ?? []
    return typeof found === 'string' ? [found] : [...found]
  }

  /** Whether more than one claims this. */
  isContested(resource: Resource): boolean {
    return this.#contested.has(nameOf(resource))
  }

  /** The subnets that claim what another claims as well. */
  get rivals(): readonly Prefix[] {
    return [...this.#contested.values()].flatMap((resource) => this.claimants(resource))
  }

  /** Marks every contested resource as unsettled. */
  unsettleAll(): void {
    for (const resource of this.#contested.values()) this.unsettle(resource)
  }

  /** Adds a claim. */
  enter(resource: Resource, subnet: Prefix): void {
    const ofType = this.#claims.get(resource.type) ?? new Map<string, Prefix | Set<Prefix>>()
    this.#claims.set(resource.type, ofType)
    const known = ofType.get(resource.what)
    if (known === undefined) ofType.set(resource.what, subnet)
    else if (typeof known !== 'string') known.add(subnet)
    else if (known !== subnet) ofType.set(resource.what, new Set([known, subnet]))
    if (typeof ofType.get(resource.what) === 'string') return
    this.#contested.set(nameOf(resource), resource)
    this.unsettle(resource)
  }

  /** Removes a claim. */
  leave(resource: Resource, subnet: Prefix): void {
    const ofType = this.#claims.get(resource.type)
    const known = ofType?.get(resource.what)
    if (known === subnet) ofType?.delete(resource.what)
    if (known === undefined || typeof known === 'string') return
    known.delete(subnet)
    const [first, second] = known
    if (first !== undefined && second === undefined) {
      ofType?.set(resource.what, first)
      this.#contested.delete(nameOf(resource))
    }
    this.unsettle(resource)
  }

  /** Marks a resource as unsettled: its winner is chosen again. */
  unsettle(resource: Resource): void {
    this.#unsettled.set(nameOf(resource), resource)
  }

  /** The resources unsettled since the last call. */
  takeUnsettled(): readonly Resource[] {
    const resources = [...this.#unsettled.values()]
    this.#unsettled.clear()
    return resources
  }
}

function nameOf({ type, what }: Resource): string {
  return `${type} ${what}`
}

/**
 * The address that wins: that of the oldest claim whose host lives. While none lives the newest one wins, being the last that
 * is known of the host. Of claims made by one transaction, the greatest address.
 */
export function winner(claimants: readonly Claimant[]): Address | undefined {
  const living = claimants.filter(({ alive }) => alive)
  const sign = living.length > 0 ? 1 : -1
  let best: Claimant | undefined
  for (const claimant of living.length > 0 ? living : claimants) {
    const earlier = best === undefined || sign * (claimant.claimed - best.claimed) < 0
    const tied = best?.claimed === claimant.claimed && claimant.publicAddress > best.publicAddress
    if (earlier || tied) best = claimant
  }
  return best?.publicAddress
}
