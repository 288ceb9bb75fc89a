// Level-triggered work: however often it is asked for, it runs one at a time, and once more after the last asking.
import { setTimeout as pause } from 'node:timers/promises'

/** Asks for `work`; the promise resolves after a run that began after this asking. Rejections of `work` go to `failed`. */
export function coalesce(work: () => Promise<void>, failed: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const run = (): Promise<void> =>
    work()
      .catch(failed)
      .finally(() => (running = undefined))
  return () => {
    // First: between the end of a run and the next one, a caller that has just seen that end may ask again.
    if (next !== undefined) return next
    if (running === undefined) return (running = run())
    return (next = running.then(() => {
      next = undefined
      return (running = run())
    }))
  }
}

/** Of the time, work that is called for all the time gets so much. */
const SHARE = 0.2
/** The longest wait for the next turn. Milliseconds. */
const MOST_MS = 2000

/** `work`, after which as much time passes as leaves the process to others: for what a busy host calls for without end. */
export function inMeasure(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    const began = performance.now()
    await work()
    const took = performance.now() - began
    await pause(Math.min(took / SHARE - took, MOST_MS), undefined, { ref: false })
  }
}
