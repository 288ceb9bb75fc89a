// Routes whose faults are those of an observing part: reported and counted, in addition to the 500 that is answered.
import type { Handler, Routes } from '../http/serve-routes.ts'
import { type Observing, type Supervisor, isAnswer } from '../health/supervise.ts'

/** The part that answers a path: the first whose prefix matches. */
const PARTS: readonly (readonly [string, Observing])[] = [
  ['/metrics', 'metrics'],
  ['/v1/doctor', 'doctor'],
  ['/v1/events', 'events'],
  ['/v1/', 'control'],
  ['/healthz', 'health'],
  ['/readyz', 'health'],
  ['/', 'page'],
]

/** The same table, each handler supervised by its part. */
export function observed(routes: Routes, supervisor: Supervisor): Routes {
  return new Map([...routes].map(([route, handler]) => [route, watched(route, handler, supervisor)]))
}

function watched(route: string, handler: Handler, supervisor: Supervisor): Handler {
  const path = route.slice(route.indexOf(' ') + 1)
  const part = supervisor.part(PARTS.find(([start]) => path.startsWith(start))?.[1] ?? 'control')
  const failed = (error: unknown): void => {
    if (!isAnswer(error)) part.failed(error)
  }
  return async (asked) => {
    try {
      const answer = await handler(asked)
      if (!('events' in answer)) return answer
      return {
        events: (send, gone) => {
          part.guard(answer.events)(send, gone)
        },
      }
    } catch (error) {
      failed(error)
      throw error
    }
  }
}
