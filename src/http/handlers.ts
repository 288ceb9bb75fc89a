// Handlers that many may ask at the same time: the work is done for all of them, or for a few at a time.
import type { Answer, Handler } from './serve-routes.ts'

/**
 * Answers requests that come while an answer is being made with the next one, and all of them with the same: at most one is being made. For
 * what depends on nothing in the request. An answer is never older than the request.
 */
export function shared(make: () => Promise<Answer> | Answer): Handler {
  let running: Promise<Answer> | undefined
  let next: Promise<Answer> | undefined
  const run = (): Promise<Answer> =>
    Promise.resolve()
      .then(make)
      .finally(() => (running = undefined))
  return () => {
    if (next !== undefined) return next
    if (running === undefined) return (running = run())
    return (next = running
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return (running = run())
      }))
  }
}

/** Lets `most` of the requests to a handler be worked on at a time; the others wait for their turn. */
export function atMost(most: number, handler: Handler): Handler {
  let free = most
  const waiting: (() => void)[] = []
  return async (asked) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await handler(asked)
    } finally {
      const following = waiting.shift()
      if (following === undefined) free++
      else following()
    }
  }
}
