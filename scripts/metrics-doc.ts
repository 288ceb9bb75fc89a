// Writes docs/metrics.md from the table of metrics: `node scripts/metrics-doc.ts`. A test keeps the two equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PEER_SERIES } from '../src/metrics/peer-series.ts'
import { PROCESS_METRICS } from '../src/metrics/process.ts'
import { METRICS } from '../src/metrics/table.ts'

/** Where it stands. */
export const METRICS_DOC = join(import.meta.dirname, '../docs/metrics.md')

/** The document as it has to be. */
export function metricsDoc(): string {
  return [
    '<!-- Made by scripts/metrics-doc.ts from src/metrics/table.ts: change that. -->',
    '',
    '# Metrics',
    '',
    'With a health port, such as `-healthz-port=9980`, the daemon answers Prometheus at `/metrics`. The control socket serves the',
    'same text without one:',
    '',
    '```',
    'curl --unix-socket /run/flannel/flanneld.sock http://localhost/metrics',
    '```',
    '',
    'Between two scrapes nothing runs but additions to a few numbers. A scrape asks neither etcd nor any peer: it shows what the',
    'daemon knows. It starts one `nft`, which reads the counter of the guard. A second request within half a second gets the',
    'same text.',
    '',
    `At most ${PEER_SERIES.toLocaleString('en')} peers have series of their own, those in trouble first; \`flannel_peers\` counts all of them.`,
    'Counters start at 0 when the daemon starts, unless the note says otherwise.',
    '',
    '[examples/monitoring](../examples/monitoring) has a scrape config, alert rules and a dashboard for these metrics.',
    '',
    '| Metric | Type | Labels | Meaning |',
    '| --- | --- | --- | --- |',
    ...METRICS.map(({ name, type, labels = {}, help, note }) => {
      const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`)
      return `| \`${name}\` | ${type} | ${shown.join('<br>')} | ${[help, note ?? []].flat().join(' ')} |`
    }),
    '',
    "Metrics of the process, under the names that Prometheus' client libraries use:",
    '',
    '| Metric | Type | Meaning |',
    '| --- | --- | --- |',
    ...PROCESS_METRICS.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`),
    '',
  ].join('\n')
}

if (import.meta.main) writeFileSync(METRICS_DOC, metricsDoc())
