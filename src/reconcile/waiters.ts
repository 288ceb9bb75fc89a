// Those who wait until what they asked for went through a pass.

/** Somebody who waits for a pass. */
export interface Waiter {
  readonly revision: number
  readonly resolve: () => void
}

/** Lets those go who waited for a revision up to this one; the others. */
export function releaseWaiters(waiters: readonly Waiter[], revision: number): Waiter[] {
  for (const waiter of waiters) if (waiter.revision <= revision) waiter.resolve()
  return waiters.filter((waiter) => waiter.revision > revision)
}
