// What the health port serves: nothing of the page unless asked for, at every point of the daemon's life, and harmless whatever
// others write into etcd.
import test from 'ava'
import { openPage, startBrowser } from '../lab/actors/browser.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { createLab } from '../lab/world/lab.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

/** 300 connections that follow and read nothing, 1,500 whose request never ends. */
const SILENT_CLIENTS = `
  let open = 0
  // Sockets that read nothing keep no process.
  setInterval(() => {}, 1000)
  for (let i = 0; i < 1800; i++) {
    const socket = require('node:net').connect(9000, '127.0.0.1', () => ++open === 1800 && console.log('all there'))
    socket.on('error', () => {}).pause()
    socket.write(i < 300 ? 'GET /api/live HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' : 'GET /healthz HTTP/1.1\\r\\n')
  }`

const PATHS = ['/', '/page.css', '/page.js', '/api/state', '/api/live']

test('off by default: 404 for all of it', async (t) => {
  const lan = await (await createLab(t)).lan()
  const host = await lan.host(121)
  await startFlanneld(host, `${ARGS} -healthz-port=9000`)
  await waitFor('the health port', () => askHealthPort(host, '/healthz'))
  for (const path of PATHS) t.is((await askHealthPort(host, path)).status, 404, path)
})

test('the page is served while the daemon waits for etcd, says so, and follows when etcd is there', async (t) => {
  const lan = await (await createLab(t)).lan()
  const host = await lan.host(121)
  await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-page`)
  await waitFor('the health port', () => askHealthPort(host, '/healthz'))
  const { page, complaints } = await openPage(await startBrowser(t, host))
  const title = page.getByRole('heading', { level: 1 })
  await title.filter({ hasText: 'broken' }).filter({ hasText: 'etcd' }).waitFor()
  await page.getByText('no subnet yet').or(page.getByText('No peers:')).first().waitFor()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMin: '10.2.9.0', Backend: { Type: 'vxlan' } })
  await title.filter({ hasText: 'healthy' }).waitFor()
  t.deepEqual(complaints, [])
})

test('text of a lease is text: no markup, no script, no request comes of it', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = [await startEtcd(lan), await lan.host(121)]
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMin: '10.2.9.0', Backend: { Type: 'vxlan' } })
  const evil = `<img src=x onerror=document.title='gone'><script>document.title='gone'</script>`
  await putLeases(etcd, [
    { name: '10.2.7.0-24', value: vxlanValue('192.168.19.207', '0a:00:00:00:00:07', { BackendType: evil }) },
    { name: '<b>10.2.8.0-24<b>', value: vxlanValue('192.168.19.208', '0a:00:00:00:00:08') },
  ])
  await waitForSubnetEnv(host, await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-page`))
  const { page, complaints } = await openPage(await startBrowser(t, host))
  // What others write is cut, so that tables keep their width.
  await page.locator('#leases').getByText(evil.slice(0, 20)).waitFor()
  await page.getByRole('rowheader', { name: '<b>10.2.8.0-24<b>' }).waitFor()
  t.is(await page.locator('img, b, body script').count(), 0)
  t.regex(await page.title(), /^\w+ · 10\.2\./)
  t.deepEqual(complaints, [])

  const policies = await host.run(`for path in ${PATHS.slice(0, 3).join(' ')}; do
    bash -c "exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET $path HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3" | grep -i ^content-security-policy
  done`)
  t.is(policies.match(/default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/g)?.length, 3)
  t.notRegex(policies, /unsafe/)
})

test('the page is read-only: other methods are refused, and a follower receives the full state first', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = [await startEtcd(lan), await lan.host(121)]
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMin: '10.2.9.0', Backend: { Type: 'vxlan' } })
  await waitForSubnetEnv(host, await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-page`))
  const send = (method: string, path: string): Promise<string> =>
    host.run(
      'timeout 20 bash -s',
      `exec 3<>/dev/tcp/127.0.0.1/9000; printf '${method} ${path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`,
    )
  for (const method of ['POST', 'PUT', 'DELETE']) {
    for (const path of PATHS) t.regex(await send(method, path), /^HTTP\/1\.[01] 404/, `${method} ${path}`)
  }
  const state = JSON.parse((await askHealthPort(host, '/api/state')).text) as object
  t.deepEqual(Object.keys(state), ['version', 'at', 'verdict', 'host', 'facts', 'peers', 'unshown', 'leases', 'events'])
  t.like(state, { verdict: { word: 'healthy', reasons: [] }, peers: [] })
  const first = await host.run(
    'timeout 20 bash -s',
    `exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET /api/live HTTP/1.0\\r\\n\\r\\n' >&3; while read -r line <&3; do case $line in data:*) echo "$line"; break;; esac; done`,
  )
  t.regex(first, /^data: \{.*"whole":true/)
})

test('a web page from another host name reads nothing; many idle clients keep no one out', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = [await startEtcd(lan), await lan.host(121)]
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMin: '10.2.9.0', Backend: { Type: 'vxlan' } })
  await waitForSubnetEnv(
    host,
    await startFlanneld(host, `${ARGS} -healthz-port=9000 -healthz-page -healthz-allowed-hosts=metrics.example`),
  )
  const ask = async (path: string, name: string): Promise<number> => {
    const script = `exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET ${path} HTTP/1.1\\r\\nHost: ${name}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3`
    return Number(/^HTTP\/1\.1 (\d+)/.exec(await host.run('timeout 20 bash -s', script))?.[1])
  }
  for (const path of [...PATHS.slice(0, 4), '/metrics', 'http://evil.example/metrics']) {
    t.is(await ask(path, 'evil.example:9000'), 421, path)
  }
  t.is(await ask('http://evil.example/metrics', 'localhost'), 421)
  const own = (await host.run('hostname')).trim()
  for (const name of ['localhost:9000', '192.168.19.121', '[::1]:9000', 'metrics.example:9000', own]) {
    t.is(await ask('/metrics', name), 200, name)
  }
  for (const path of ['/healthz', '/readyz']) t.is(await ask(path, 'lb.example'), 200, path)

  const clients = await host.spawn(`${process.execPath} -e "${SILENT_CLIENTS}"`)
  await clients.line(/all there/)
  const there = async (): Promise<number> => Number(await host.run('ss -Htn state established sport = :9000 | wc -l'))
  await waitFor('no more than are kept', async () => (await there()) <= 256)
  t.is((await askHealthPort(host, '/readyz')).status, 200)
  t.is(await ask('/metrics', 'localhost'), 200)
  await clients.stop('SIGTERM')
})
