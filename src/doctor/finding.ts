// The outcome of a check: values only. Invariant: what could not be looked at is "not checked", never "ok".
import type { Level } from '../health/conditions.ts'
import type { Facts } from './facts.ts'

/** Something found. As with the daemon's conditions, only one of level `fault` changes the verdict. */
export interface Fault {
  readonly level: Level
  /** Of a fault: traffic stops by it, or will. The host is broken then, not degraded. */
  readonly stops?: true
  /** The code of the reason or condition under which the daemon may report the same by itself. */
  readonly code?: string
  /** What is wrong, and what that does, in a sentence without its full stop. */
  readonly cause: string
  /** The fix: a command where there is one. */
  readonly fix: string
  /** What was seen. */
  readonly proof: string
}

/** What a check found: that all is well and what was seen; why it could not look; or faults, at least one. */
export type CheckOutcome =
  { readonly seen: string } | { readonly unchecked: string } | { readonly faults: readonly [Fault, ...Fault[]] }

/** One check. Adding one is adding it to CHECKS (checks.ts), and a line to docs/troubleshooting.md. */
export interface Check {
  /** Stable: scripts read it. */
  readonly name: string
  /** What it looks at, in a few words. */
  readonly about: string
  /** Whether it applies to a single peer: `flanneld doctor PEER` runs only those. */
  readonly ofPeer: boolean
  /** Whether the daemon may be about to repair what it finds, so that it is looked at twice. */
  readonly settles?: true
  /** Judges. Pure. */
  readonly run: (facts: Facts) => CheckOutcome
}

/** What a daemon knows when it examines its own host: all but itself. */
export type OwnFacts = Omit<Facts, 'daemon'>

/** A check that a daemon can make of its own host. */
export interface OwnCheck extends Check {
  readonly run: (facts: OwnFacts) => CheckOutcome
}

/** The outcome of a list of faults; `seen` when there are none. */
export function outcomeOf(faults: readonly Fault[], seen: string): CheckOutcome {
  const [first, ...others] = faults
  return first === undefined ? { seen } : { faults: [first, ...others] }
}

/** At most this many faults of one kind are listed; the last says how many more there are. */
const LISTED = 5

/** Shortens a long list of like faults. */
export function firstOf(faults: readonly Fault[]): readonly Fault[] {
  const more = faults.length - LISTED
  if (more <= 0) return faults
  return faults
    .slice(0, LISTED)
    .map((fault, i) => (i === LISTED - 1 ? { ...fault, proof: `${fault.proof} (and ${more} more like this)` } : fault))
}
