// What a scrape answers: the table in Prometheus' text format. Invariant: prom-client is loaded by the first scrape, so
// that a daemon nobody scrapes pays nothing for it, and nothing runs between two scrapes.
import type Registry from 'prom-client/lib/registry.js'
import type { Answer, Handler } from '../http/serve-routes.ts'
import type { CurrentDaemon } from '../view/running-daemon.ts'
import { isAnswer } from '../health/supervise.ts'
import type { Metric } from './sample.ts'
import { METRICS } from './table.ts'

/** A scrape is made at most once in so many milliseconds: the port is open, and a scrape starts a process. */
const FRESH_MS = 500

/** Answers GET /metrics; whoever asks again at once gets the same text. */
export function metricsRoute(current: CurrentDaemon): Handler {
  let filled: Promise<Registry> | undefined
  let last: Promise<Answer> | undefined
  let until = 0
  const scrape = async (): Promise<Answer> => {
    // One that failed is not kept: without descriptors left, say, nothing can be loaded.
    const registry = await (filled ??= fill(current).catch((error: unknown) => {
      filled = undefined
      throw error
    }))
    return { status: 200, text: await registry.metrics(), type: registry.contentType }
  }
  return () => {
    if (last !== undefined && performance.now() < until) return last
    until = Infinity
    return (last = scrape().finally(() => (until = performance.now() + FRESH_MS)))
  }
}

/** A registry of the table's metrics, read from the daemon, and of those prom-client has of a process. */
export async function fill(current: CurrentDaemon): Promise<Registry> {
  const { default: Registry } = await import('prom-client/lib/registry.js')
  const registry = new Registry()
  for (const metric of METRICS) registry.registerMetric(sourceOf(metric, current))
  const own = await Promise.all([
    import('prom-client/lib/metrics/processStartTime.js'),
    import('prom-client/lib/metrics/osMemoryHeap.js'),
    import('prom-client/lib/metrics/heapSizeAndUsed.js'),
    import('prom-client/lib/metrics/processOpenFileDescriptors.js'),
    import('prom-client/lib/metrics/processMaxFileDescriptors.js'),
    import('prom-client/lib/metrics/version.js'),
  ])
  for (const { default: add } of own) add(registry)
  return registry
}

function sourceOf(
  { name, help, type, read }: Metric,
  current: CurrentDaemon,
): Parameters<Registry['registerMetric']>[0] {
  return {
    name,
    help,
    type,
    async get() {
      // What cannot be read (the guard's counter without nft, say) must not hide the rest.
      const samples = await (async () => read(current()))().catch((error: unknown) => {
        if (!isAnswer(error)) current().supervisor.part('metrics').failed(error)
        return []
      })
      const values = samples.map(({ labels = {}, value, suffix = '' }) => ({
        labels,
        value,
        metricName: `${name}${suffix}`,
      }))
      return { name, help, type, values }
    },
  }
}
