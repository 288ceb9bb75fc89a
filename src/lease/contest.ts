// Who gets what only one host may have, such as a VTEP MAC: of several claimants the host whose lease was created last,
// since a host that moves leaves its old lease behind. Pure; subnets stand for the leases that hold them.
// Invariant: the outcome depends on who claims, not on the order in which they came.
import type { Address } from '../ip/address.ts'
import type { Prefix } from '../ip/prefix.ts'

/** What is claimed: a value that is exclusive among the leases of a backend type. */
export interface Prize {
  readonly type: string
  readonly what: string
}

/** A lease that claims something. */
export interface Claimant {
  readonly publicAddress: Address
  /** Revision at which its key was created. */
  readonly created: number
}

/** The claims on everything exclusive. */
export class Contest {
  /** Claimants by backend type and claim; nearly always one, which then stands there by itself. */
  readonly #claims = new Map<string, Map<string, Prefix | Set<Prefix>>>()
  readonly #unsettled = new Map<string, Prize>()

  /** The subnets that claim something. */
  claimants({ type, what }: Prize): readonly Prefix[] {
    const found = this.#claims.get(type)?.get(what) ?? []
    return typeof found === 'string' ? [found] : [...found]
  }

  /** Adds a claim. */
  enter(prize: Prize, subnet: Prefix): void {
    const ofType = this.#claims.get(prize.type) ?? new Map<string, Prefix | Set<Prefix>>()
    this.#claims.set(prize.type, ofType)
    const known = ofType.get(prize.what)
    if (known === undefined) ofType.set(prize.what, subnet)
    else if (typeof known !== 'string') known.add(subnet)
    else if (known !== subnet) ofType.set(prize.what, new Set([known, subnet]))
    if (typeof ofType.get(prize.what) !== 'string') this.unsettle(prize)
  }

  /** Takes a claim back. */
  leave(prize: Prize, subnet: Prefix): void {
    const ofType = this.#claims.get(prize.type)
    const known = ofType?.get(prize.what)
    if (known === subnet) ofType?.delete(prize.what)
    if (known === undefined || typeof known === 'string') return
    known.delete(subnet)
    const [first, second] = known
    if (first !== undefined && second === undefined) ofType?.set(prize.what, first)
    this.unsettle(prize)
  }

  /** Who wins this has to be found out again. */
  unsettle(prize: Prize): void {
    this.#unsettled.set(`${prize.type} ${prize.what}`, prize)
  }

  /** What has to be settled since the last call. */
  takeUnsettled(): readonly Prize[] {
    const prizes = [...this.#unsettled.values()]
    this.#unsettled.clear()
    return prizes
  }
}

/** The address that wins: that of the newest claim; of claims made by one transaction, the greatest address. */
export function winner(claimants: Iterable<Claimant>): Address | undefined {
  let best: Claimant | undefined
  for (const claimant of claimants) {
    const newer = best === undefined || claimant.created > best.created
    const tied = best?.created === claimant.created && claimant.publicAddress > best.publicAddress
    if (newer || tied) best = claimant
  }
  return best?.publicAddress
}
