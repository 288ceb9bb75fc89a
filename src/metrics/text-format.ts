// Samples in Prometheus' text format, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). Pure.
import type { Metric, Sample } from './sample.ts'

/** The media type of the format. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A metric with its samples: HELP and TYPE first, then a line for each sample; without a newline at the end. */
export function exposed(metric: Pick<Metric, 'name' | 'help' | 'type'>, samples: readonly Sample[]): string {
  const { name, help, type } = metric
  const head = [`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`]
  return [...head, ...samples.map((sample) => lineOf(name, sample))].join('\n')
}

function lineOf(metric: string, { labels = {}, value, suffix }: Sample): string {
  const name = `${metric}${suffix ?? ''}`
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${written(value)}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/** Go's strconv.ParseFloat reads it: JavaScript writes numbers alike, except the infinite ones. */
function written(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
