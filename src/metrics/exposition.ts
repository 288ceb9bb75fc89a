// The answer to a scrape: every metric of the table in Prometheus' text format. Nothing runs between two scrapes.
import type { Answer, Handler } from '../http/serve-routes.ts'
import type { CurrentDaemon, RunningDaemon } from '../view/running-daemon.ts'
import type { HealthReport } from '../view/health.ts'
import { isAnswer } from '../health/supervise.ts'
import { PROCESS_METRICS } from './process.ts'
import type { Metric, Sample } from './sample.ts'
import { METRICS } from './table.ts'
import { CONTENT_TYPE, exposed } from './text-format.ts'

/** Milliseconds for which an answer is repeated: the port is open, and a scrape starts a process. */
const FRESH_MS = 500

/**
 * Answers GET /metrics. Requests that follow within half a second get the same text, unless there is a new health report: metrics
 * must not differ from what the status says at that moment.
 */
export function metricsRoute(current: CurrentDaemon): Handler {
  let last: Promise<Answer> | undefined
  let until = 0
  let of: HealthReport | undefined
  return () => {
    const daemon = current()
    if (last !== undefined && daemon.health.latest === of && performance.now() < until) return last
    of = daemon.health.latest
    until = Infinity
    return (last = scrape(daemon).finally(() => (until = performance.now() + FRESH_MS)))
  }
}

async function scrape(daemon: RunningDaemon): Promise<Answer> {
  const metrics = [...METRICS, ...PROCESS_METRICS]
  const texts = await Promise.all(metrics.map(async (metric) => exposed(metric, await samplesOf(metric, daemon))))
  return { status: 200, text: `${texts.join('\n\n')}\n`, type: CONTENT_TYPE }
}

/** The samples of a metric; none when it cannot be read (the guard's counter without nft, say), so that the others are shown. */
async function samplesOf({ read }: Metric, daemon: RunningDaemon): Promise<readonly Sample[]> {
  try {
    return await read(daemon)
  } catch (error) {
    if (!isAnswer(error)) daemon.supervisor.part('metrics').failed(error)
    return []
  }
}
