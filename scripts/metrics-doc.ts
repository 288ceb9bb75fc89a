// Writes docs/metrics.md from the table of metrics: `node scripts/metrics-doc.ts`. A test keeps the two equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fill } from '../src/metrics/exposition.ts'
import { PEER_SERIES } from '../src/metrics/peer-series.ts'
import type { RunningDaemon } from '../src/view/running-daemon.ts'
import { METRICS } from '../src/metrics/table.ts'

/** Where it stands. */
export const METRICS_DOC = join(import.meta.dirname, '../docs/metrics.md')

/** The document as it has to be. */
export async function metricsDoc(): Promise<string> {
  const names = new Set(METRICS.map(({ name }) => name))
  // Names and help alone are asked for; nothing is read.
  const registry = await fill(() => ({}) as RunningDaemon)
  const others = registry.getMetricsAsArray().filter(({ name }) => !names.has(name))
  return [
    '<!-- Made by scripts/metrics-doc.ts from src/metrics/table.ts: change that. -->',
    '',
    '# Metrics',
    '',
    'With `-healthz-port=9980`, say, the daemon answers Prometheus at `/metrics`, beside `/healthz` and `/readyz`. Without a',
    'health port the same text can be had from the control socket:',
    '',
    '```',
    'curl --unix-socket /run/flannel/flanneld.sock http://localhost/metrics',
    '```',
    '',
    'Nothing is done between two scrapes but adding to a few numbers; the first scrape loads what formats them (some 30 ms).',
    'A scrape asks neither etcd nor any peer: it tells what the daemon knows. It starts one `nft`, which reads the counter of',
    'the guard; asked again within half a second, the daemon says the same again.',
    '',
    `At most ${PEER_SERIES.toLocaleString('en')} peers have series of their own, however many there are: those in trouble come first, and`,
    '`flannel_peers` counts all of them. Counters begin at 0 when the daemon starts, unless the note says otherwise.',
    '',
    '[examples/monitoring](../examples/monitoring) has a scrape config, alert rules and a dashboard made of these.',
    '',
    '| Metric | Type | Labels | Meaning |',
    '| --- | --- | --- | --- |',
    ...METRICS.map(({ name, type, labels = {}, help, note }) => {
      const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`)
      return `| \`${name}\` | ${type} | ${shown.join('<br>')} | ${[help, note ?? []].flat().join(' ')} |`
    }),
    '',
    'Besides, as prom-client has them of every Node process:',
    '',
    '| Metric | Type | Meaning |',
    '| --- | --- | --- |',
    ...others.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`),
    '',
  ].join('\n')
}

if (import.meta.main) writeFileSync(METRICS_DOC, await metricsDoc())
