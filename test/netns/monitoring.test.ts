// examples/monitoring as promtool judges it: the scrape config, the alert rules and their unit tests, and the dashboard's
// expressions.
import test from 'ava'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FOLDER = join(import.meta.dirname, '../../examples/monitoring')
const promtool = (...args: readonly string[]): Promise<{ stdout: string }> =>
  promisify(execFile)('promtool', [...args], { cwd: FOLDER })

for (const args of [
  ['check', 'config', 'prometheus.yml'],
  ['check', 'rules', 'alerts.yml'],
  ['test', 'rules', 'alerts.test.yml'],
]) {
  test(`promtool ${args.join(' ')}`, async (t) => {
    await t.notThrowsAsync(promtool(...args))
  })
}

test('every expression of the dashboard can be read', async (t) => {
  const { panels } = JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[]
  }
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  t.true(expressions.length > 20)
  // As recording rules, with what Grafana puts in place of its variables.
  const rules = expressions.map((expr, n) => {
    const text = expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(job|instance)/g, '.*')
    return `      - record: panel:${n}\n        expr: ${JSON.stringify(text)}\n`
  })
  t.false(rules.join('').includes('$'))
  const folder = mkdtempSync(join(tmpdir(), 'dashboard-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'panels.yml')
  writeFileSync(file, `groups:\n  - name: panels\n    rules:\n${rules.join('')}`)
  const { stdout } = await promtool('check', 'rules', file)
  t.regex(stdout, new RegExp(`SUCCESS: ${expressions.length} rules found`))
})
