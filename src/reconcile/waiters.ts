// Callers that wait for a pass to complete what they asked for.

/** A caller that waits for a pass. */
export interface Waiter {
  readonly revision: number
  readonly resolve: () => void
}

/** Resolves the waiters of revisions up to this one. Returns the others. */
export function releaseWaiters(waiters: readonly Waiter[], revision: number): Waiter[] {
  for (const waiter of waiters) if (waiter.revision <= revision) waiter.resolve()
  return waiters.filter((waiter) => waiter.revision > revision)
}
