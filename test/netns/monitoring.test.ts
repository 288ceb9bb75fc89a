// examples/monitoring as promtool judges it, and as Prometheus itself runs it against two daemons: the scrape config, the
// alert rules and their unit tests, every expression of the dashboard.
import test from 'ava'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** What Prometheus answers to a query. */
interface Answer {
  readonly status: string
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[]
  }
}

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

/** The dashboard's, with what Grafana puts in place of its variables. */
function expressions(): readonly string[] {
  const { panels } = JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[]
  }
  return panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(job|instance)/g, '.*')),
  )
}

test('every expression of the dashboard can be read', async (t) => {
  t.true(expressions().length > 20)
  const rules = expressions().map((expr, n) => `      - record: panel:${n}\n        expr: ${JSON.stringify(expr)}\n`)
  t.false(rules.join('').includes('$'))
  const folder = mkdtempSync(join(tmpdir(), 'dashboard-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const file = join(folder, 'panels.yml')
  writeFileSync(file, `groups:\n  - name: panels\n    rules:\n${rules.join('')}`)
  const { stdout } = await promtool('check', 'rules', file)
  t.regex(stdout, new RegExp(`SUCCESS: ${expressions().length} rules found`))
})

test('Prometheus, with these files as they are, sees both hosts, fills the dashboard and notices a daemon that is gone', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const hosts = await Promise.all([121, 122].map((last) => lan.host(last)))
  const daemons = await Promise.all(hosts.map((host) => startFlanneld(host, `${ARGS} -healthz-port=9980`)))
  await Promise.all(daemons.map((daemon) => daemon.line(/ ready: /)))
  const watcher = await lan.host(119)
  const prometheus = await watcher.spawn(
    `prometheus --config.file=${FOLDER}/prometheus.yml --storage.tsdb.path=/run/prometheus --web.listen-address=127.0.0.1:9090`,
  )
  t.teardown(() => {
    if (!t.passed) t.log(prometheus.output())
  })
  const query = async (expr: string): Promise<Answer['data']['result']> => {
    const said = await watcher.run(`curl -s http://127.0.0.1:9090/api/v1/query --data-urlencode query@-`, expr)
    const { status, data } = JSON.parse(said) as Answer
    t.is(status, 'success', expr)
    return data.result
  }
  const holds = (expr: string, series: number): Promise<unknown> =>
    waitFor(expr, async () => (await query(expr)).length === series, 90_000)

  await holds('up{job="flannel"} == 1', 2)
  await holds('flannel_peers{state="up"} == 1', 2)
  // Rates need two scrapes.
  await holds('rate(flannel_etcd_request_duration_seconds_count{op="keep_alive"}[1m]) > 0', 2)
  const empty: string[] = []
  for (const expr of expressions()) if ((await query(expr)).length === 0) empty.push(expr)
  // All but those that show faults alone.
  t.deepEqual(
    empty.filter((expr) => !/ > 0\)?$/.test(expr)),
    [],
  )
  const rules = JSON.parse(await watcher.run('curl -s http://127.0.0.1:9090/api/v1/rules')) as {
    data: { groups: { rules: { name: string; health: string; state: string }[] }[] }
  }
  const all = rules.data.groups.flatMap((group) => group.rules)
  t.true(all.length > 10)
  t.deepEqual(
    all.filter(({ health, state }) => health !== 'ok' || state === 'firing'),
    [],
  )
  await daemons[0]?.stop()
  await holds('ALERTS{alertname="FlannelDown", instance="192.168.19.121:9980", alertstate="pending"}', 1)
})
