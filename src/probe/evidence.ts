// What peers let us know by probing us: that they are there, that their packets come through the tunnel, and what they say
// of ours. Invariant: bounded memory, however many send; a sender is a peer only when the lease says so.
import type { Address } from '../ip/address.ts'

/** What is known of one peer's own probing. Times are performance.now, milliseconds; undefined: never. */
export interface ProbeEvidence {
  /** When a request of its came in through the tunnel, and when one outside it. */
  readonly tunnelAt: number | undefined
  readonly underlayAt: number | undefined
  /** When it last said when it had heard us in the tunnel, and when that was. */
  readonly saidAt: number | undefined
  readonly heardUsAt: number | undefined
}

const NOTHING: ProbeEvidence = { tunnelAt: undefined, underlayAt: undefined, saidAt: undefined, heardUsAt: undefined }

/** The most peers that are remembered: those that sent something last. */
const KEPT = 4096

/** By first address of the peer's subnet. */
export class EvidenceBook {
  readonly #kept = new Map<Address, ProbeEvidence>()

  of(vtep: Address): ProbeEvidence {
    return this.#kept.get(vtep) ?? NOTHING
  }

  /** A request of a peer came in; `heard` as in its mark, seconds. */
  came(vtep: Address, lane: 'tunnel' | 'underlay', heard: number | undefined, now: number): void {
    const at = lane === 'tunnel' ? { tunnelAt: now } : { underlayAt: now }
    const said =
      heard === undefined ? {} : { saidAt: now, heardUsAt: heard === Infinity ? undefined : now - heard * 1000 }
    this.#keep(vtep, { ...this.of(vtep), ...at, ...said })
  }

  #keep(vtep: Address, evidence: ProbeEvidence): void {
    this.#kept.delete(vtep)
    this.#kept.set(vtep, evidence)
    if (this.#kept.size > KEPT) for (const [oldest] of this.#kept) return void this.#kept.delete(oldest)
  }
}
