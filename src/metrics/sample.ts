// What a row of the table of metrics is, and how the values that parts count in become samples. Pure.
import type { RunningDaemon } from '../view/running-daemon.ts'
import type { Counter, Histogram } from '../counters.ts'

/** One line of a scrape. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
  /** What comes after the metric's name: histograms have three. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** A row of the table: everything there is to know of a metric. */
export interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  /** Each label with the values it has, for people. */
  readonly labels?: Readonly<Record<string, string>>
  /** For the documentation only: what to know in addition to the help. */
  readonly note?: string
  /** The samples of this moment; none for what is not known yet. */
  readonly read: (daemon: RunningDaemon) => readonly Sample[] | Promise<readonly Sample[]>
}

/** A single value; none when it is not known. */
export function one(value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ value }]
}

/** A count that may be large, as samples have it. */
export function asNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

/** One sample for each label of each counter. */
export function countsOf(label: string, ...counters: readonly (Counter | undefined)[]): readonly Sample[] {
  const sums = new Map<string, number>()
  for (const counter of counters)
    for (const [value, count] of counter?.counts ?? []) sums.set(value, (sums.get(value) ?? 0) + count)
  return Array.from(sums, ([value, count]) => ({ labels: { [label]: value }, value: count }))
}

/** The samples of a histogram. */
export function bucketsOf(histogram: Histogram, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
  const le = (bound: number): string => (bound === Infinity ? '+Inf' : String(bound))
  return [
    ...histogram.buckets.map(([bound, value]) => ({
      labels: { ...labels, le: le(bound) },
      value,
      suffix: '_bucket' as const,
    })),
    { labels, value: histogram.sum, suffix: '_sum' },
    { labels, value: histogram.count, suffix: '_count' },
  ]
}
