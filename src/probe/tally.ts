// What a turn has asked on one lane so far and what came back, and what that says about sizes. Pure.
// Invariant: what one size passes every smaller one passes; what is lost proves little alone, so a size counts as too
// large only when a refusal says so or several packets of it were lost.
/** Packets of one length. */
export interface Count {
  readonly sent: number
  readonly answered: number
}

/** One lane in a turn. */
export interface Tally {
  /** As Lane.full, and bytes of the packets that show whether anything passes. */
  readonly full: number
  readonly small: number
  readonly counts: ReadonlyMap<number, Count>
  /** The least milliseconds there and back. */
  readonly rttMs: number | undefined
  /** Why packets were refused, if they were. */
  readonly refused: 'unreachable' | 'prohibited' | undefined
  /** What our kernel said when it would not send. */
  readonly error: string | undefined
  /** Bytes that fit, as a router or our own kernel said, or as an earlier turn found: worth trying first. */
  readonly hint: number
}

/** How many packets of a length have to be lost, and none answered, for it to count as too large when it is one of many tried. */
const LOST_TRIES = 2

/** A lane of which nothing is known; its packets have from `small` to `full` bytes. */
export function emptyTally(small: number, full: number, hint = 0): Tally {
  return { small, full, hint, counts: new Map(), rttMs: undefined, refused: undefined, error: undefined }
}

/** How many of a length were sent and answered. */
export function countOf(tally: Tally, length: number): Count {
  return tally.counts.get(length) ?? { sent: 0, answered: 0 }
}

/** How many small packets were sent and answered. */
export function smallOnes(tally: Tally): Count {
  return countOf(tally, tally.small)
}

/** What came of one packet. */
export type PacketOutcome =
  | { readonly kind: 'answered'; readonly rttMs: number }
  | { readonly kind: 'refused'; readonly why: 'unreachable' | 'prohibited' }
  | { readonly kind: 'too-big'; readonly mtu: number }
  | { readonly kind: 'failed'; readonly error: string }

/** A tally with one packet more. */
export function asked(tally: Tally, length: number): Tally {
  const { sent, answered } = countOf(tally, length)
  return { ...tally, counts: new Map(tally.counts).set(length, { sent: sent + 1, answered }) }
}

/** A tally with the outcome of a packet. */
export function learned(tally: Tally, length: number, outcome: PacketOutcome): Tally {
  switch (outcome.kind) {
    case 'answered': {
      const { sent, answered } = countOf(tally, length)
      const counts = new Map(tally.counts).set(length, { sent, answered: answered + 1 })
      return { ...tally, counts, rttMs: Math.min(outcome.rttMs, tally.rttMs ?? Infinity) }
    }
    case 'refused':
      return { ...tally, refused: outcome.why }
    case 'too-big':
      return outcome.mtu > 0 ? { ...tally, hint: outcome.mtu } : tally
    case 'failed':
      return { ...tally, error: outcome.error }
  }
}

/** The largest length that passed; 0 for none. */
export function passes(tally: Tally): number {
  return Math.max(0, ...Array.from(tally.counts, ([length, { answered }]) => (answered > 0 ? length : 0)))
}

/** The smallest length that seems not to pass; the full one at the most. */
export function fails(tally: Tally): number {
  const least = passes(tally)
  const lost = Array.from(tally.counts, ([length, { sent, answered }]) =>
    length > least && answered === 0 && sent >= LOST_TRIES ? length : tally.full,
  )
  return Math.min(tally.full, ...lost)
}

/** Whether anything small came back. */
export function answers(tally: Tally): boolean {
  return smallOnes(tally).answered > 0
}

/** Whether small packets pass and none of the full length did, however few were sent. */
export function shortens(tally: Tally): boolean {
  const full = countOf(tally, tally.full)
  return tally.full > tally.small && answers(tally) && full.sent > 0 && full.answered === 0
}

/** What two turns found, as one. */
export function addedUp<T extends { readonly tunnel: Tally | undefined; readonly underlay: Tally }>(a: T, b: T): T {
  const tunnel = a.tunnel && b.tunnel && sumOf(a.tunnel, b.tunnel)
  return { ...a, tunnel, underlay: sumOf(a.underlay, b.underlay) }
}

function sumOf(a: Tally, b: Tally): Tally {
  const counts = new Map(a.counts)
  for (const [length, { sent, answered }] of b.counts) {
    const before = countOf(a, length)
    counts.set(length, { sent: before.sent + sent, answered: before.answered + answered })
  }
  const rttMs = a.rttMs === undefined || b.rttMs === undefined ? (a.rttMs ?? b.rttMs) : Math.min(a.rttMs, b.rttMs)
  return { ...a, counts, rttMs, refused: b.refused ?? a.refused, error: b.error ?? a.error }
}
