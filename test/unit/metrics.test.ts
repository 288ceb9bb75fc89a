// The table of metrics, and what is made of it: docs/metrics.md, the dashboard, the alerts.
import test from 'ava'
import type { Starting } from '../../src/view/running-daemon.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { METRICS_DOC, metricsDoc } from '../../scripts/metrics-doc.ts'
import type { Prefix } from '../../src/ip/prefix.ts'
import { LeaseStats } from '../../src/lease/stats.ts'
import { exposed } from '../../src/metrics/text-format.ts'
import { PROCESS_METRICS } from '../../src/metrics/process.ts'
import { PEER_SERIES, peerSeries, peerStates } from '../../src/metrics/peer-series.ts'
import { type Sample, bucketsOf, countsOf } from '../../src/metrics/sample.ts'
import { METRICS } from '../../src/metrics/table.ts'
import { Counter, Histogram } from '../../src/counters.ts'
import { VERB_NAMES } from '../../src/options/usage.ts'
import type { PeerHealth } from '../../src/probe/peer-health.ts'
import type { RunningDaemon } from '../../src/view/running-daemon.ts'

const MONITORING = join(import.meta.dirname, '../../examples/monitoring')
const read = (name: string): string => readFileSync(join(MONITORING, name), 'utf8')

test('docs/metrics.md is what the table says', (t) => {
  t.is(readFileSync(METRICS_DOC, 'utf8'), metricsDoc(), 'run: node scripts/metrics-doc.ts')
})

test('names are those of the trade: prefixed, with their unit, counters ending in _total', (t) => {
  for (const { name, type } of METRICS) {
    t.regex(name, /^(flannel|process)_[a-z][a-z0-9_]*$/)
    t.is(type === 'counter', name.endsWith('_total'), name)
  }
  t.is(new Set(METRICS.map(({ name }) => name)).size, METRICS.length)
})

for (const file of ['grafana-dashboard.json', 'alerts.yml', 'alerts.test.yml']) {
  test(`${file} names only metrics there are`, (t) => {
    const known = new Set(METRICS.flatMap(({ name, type }) => (type === 'histogram' ? [`${name}_bucket`] : [name])))
    const named = new Set(read(file).match(/\b(flannel|process|nodejs)_[a-z_]+/g))
    t.true(named.size > 5)
    const unknown = [...named].filter((name) => !known.has(name) && name !== 'process_resident_memory_bytes')
    t.deepEqual(unknown, [])
  })
}

test('the dashboard shows every metric of flannel’s, in panels that say what they are', (t) => {
  const text = read('grafana-dashboard.json')
  const unseen = METRICS.filter(({ name }) => !text.includes(name)).map(({ name }) => name)
  t.deepEqual(unseen, [])
  const { panels } = JSON.parse(text) as {
    panels: { id: number; type: string; title: string; description?: string; gridPos: Record<string, number> }[]
  }
  t.is(new Set(panels.map(({ id }) => id)).size, panels.length)
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)
  t.is(new Set(places).size, panels.length, 'no two in one place')
  for (const { type, title, description } of panels)
    t.true(title !== '' && (type === 'row' || (description ?? '') !== ''), title)
})

test('each alert has a summary and names a verb to run', (t) => {
  const alerts = read('alerts.yml').split('- alert: ').slice(1)
  t.true(alerts.length > 10)
  for (const alert of alerts) {
    t.regex(alert, /\n +summary: ./)
    const verb = /description:[^\n]*flanneld ([a-z-]+)/.exec(alert)?.[1]
    t.true(verb !== undefined && (VERB_NAMES as readonly string[]).includes(verb), `${alert.slice(0, 40)}: ${verb}`)
  }
  const tested = read('alerts.test.yml')
  const untested = alerts.map((alert) => alert.slice(0, alert.indexOf('\n'))).filter((name) => !tested.includes(name))
  t.deepEqual(untested, [])
})

test('the text format: suffixes, escaped labels and help, infinite values; a metric without samples keeps its type', (t) => {
  const metric = { name: 'flannel_x', type: 'gauge', help: 'a\\b\nc "d"' } as const
  const head = '# HELP flannel_x a\\\\b\\nc "d"\n# TYPE flannel_x gauge'
  t.is(exposed(metric, []), head)
  const samples = [
    { value: 1.5e-9 },
    { value: Infinity, suffix: '_sum' },
    { value: -Infinity },
    { value: NaN, labels: { peer: '10.2.0.0/24', state: 'say "\\" in\ntwo lines' } },
  ] as const
  t.deepEqual(exposed(metric, samples).split('\n').slice(2), [
    'flannel_x 1.5e-9',
    'flannel_x_sum +Inf',
    'flannel_x -Inf',
    'flannel_x{peer="10.2.0.0/24",state="say \\"\\\\\\" in\\ntwo lines"} NaN',
  ])
})

test('the metrics of the process are those of this process', (t) => {
  const values = new Map(
    PROCESS_METRICS.map(({ name, read }) => [name, read({} as RunningDaemon)] as const).map(([name, samples]) => [
      name,
      Array.isArray(samples) ? (samples as readonly Sample[])[0]?.value : undefined,
    ]),
  )
  const near = (name: string, expected: number): boolean =>
    Math.abs((values.get(name) ?? NaN) - expected) < 0.2 * expected
  t.true(near('process_resident_memory_bytes', process.memoryUsage.rss()))
  t.true(near('nodejs_heap_size_used_bytes', process.memoryUsage().heapUsed))
  t.true(near('process_start_time_seconds', Date.now() / 1000 - process.uptime()))
  t.true((values.get('process_open_fds') ?? 0) >= 3)
  t.true((values.get('process_max_fds') ?? 0) >= (values.get('process_open_fds') ?? Infinity))
  t.true((values.get('process_virtual_memory_bytes') ?? 0) > (values.get('process_resident_memory_bytes') ?? Infinity))
  t.is(values.size, 10)
})

test('a histogram counts each value in every bucket it lies below', (t) => {
  const histogram = new Histogram([0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
  t.deepEqual(histogram.buckets, [
    [0.1, 2],
    [1, 3],
    [Infinity, 4],
  ])
  t.deepEqual(
    bucketsOf(histogram, { op: 'get' }).map(({ labels, value, suffix }) => [suffix, labels?.['le'], value]),
    [
      ['_bucket', '0.1', 2],
      ['_bucket', '1', 3],
      ['_bucket', '+Inf', 4],
      ['_sum', undefined, 7.65],
      ['_count', undefined, 4],
    ],
  )
})

test('counters are summed by label, and start at 0', (t) => {
  const [a, b] = [new Counter(['written', 'failed']), new Counter(['written', 'failed'])]
  a.add('written', 2)
  b.add('written')
  t.deepEqual(countsOf('result', a, b, undefined), [
    { labels: { result: 'written' }, value: 3 },
    { labels: { result: 'failed' }, value: 0 },
  ])
  t.is(a.total, 2)
})

test('the number of peers with a series is bounded, those in trouble first; all peers are counted', (t) => {
  const health = (n: number): PeerHealth => {
    const state = n === 4_500 ? 'unknown' : n % 1000 === 999 ? 'unreachable' : 'up'
    return {
      state,
      rttMs: undefined,
      loss: state === 'up' ? 0 : 1,
      pathMtu: undefined,
      since: 0,
      cause: 'none',
      note: '',
    }
  }
  const peers = Array.from({ length: 5_000 }, (_, n) => [`10.${n >> 8}.${n & 255}.0/24` as Prefix, health(n)] as const)
  const series = peerSeries({ judged: () => peers }, ({ loss }) => loss)
  t.is(series.length, PEER_SERIES)
  t.deepEqual(
    series.slice(0, 6).map(({ value }) => value),
    [1, 1, 1, 1, 1, 0],
  )
  t.deepEqual(
    peerSeries({ judged: () => peers }, ({ rttMs }) => rttMs),
    [],
  )
  t.deepEqual(
    peerSeries(undefined, ({ loss }) => loss),
    [],
  )
})

test('before anything is known every peer is unknown, and no lease is refused', (t) => {
  const states = peerStates({ phase: 'starting', leaseStats: new LeaseStats() } as Starting)
  t.deepEqual(
    states.map(({ labels, value }) => `${labels?.['state']} ${value}`),
    ['unreachable 0', 'degraded 0', 'refused 0', 'unknown 0', 'up 0'],
  )
})
