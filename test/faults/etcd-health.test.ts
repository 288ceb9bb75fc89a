// How etcd's endpoints are, for `flanneld status`: members that live, that froze, that are gone, without a leader, behind
// TLS, and what is no etcd at all; an answer for each within the limit.
import type { StoreView } from '../../src/view/status-shape.ts'
import test, { type ExecutionContext } from 'ava'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startingDaemon } from '../../src/view/running-daemon.ts'
import { Conditions } from '../../src/health/conditions.ts'
import { createLog } from '../../src/log.ts'
import { Events } from '../../src/health/events.ts'
import { askHealth } from '../../src/etcd/endpoint-health.ts'
import { parseOptions } from '../../src/options/parse.ts'
import { Readiness } from '../../src/health/readiness.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import { storeOf } from '../../src/view/store.ts'
import { FakeKernel } from '../fake/kernel.ts'
import { makeTls } from '../lab/world/tls.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import { startEtcd, startThreeEtcds } from '../lab/world/etcd.ts'

/** Health and detail by endpoint. */
async function ask(endpoints: readonly string[], files: object = {}): Promise<readonly (readonly string[])[]> {
  return (await askHealth({ endpoints, ...files })).map(({ health, detail }) => [health, detail])
}

/** What a daemon with these flags would say of its store. */
function viewWith(t: ExecutionContext, ...args: readonly string[]): Promise<StoreView> {
  const asked = parseOptions(args, {})
  if (asked.kind !== 'run') throw new TypeError(args.join(' '))
  const log = createLog('test', 0, (line) => {
    t.log(line)
  })
  const known = { version: 'test', options: asked.options, events: new Events(), conditions: new Conditions() }
  const reconciler = new Reconciler(new FakeKernel(), log)
  return storeOf(startingDaemon({ ...known, readiness: new Readiness([], log), reconciler }, log))
}

test('a cluster that loses its members one after the other', async (t) => {
  const cluster = await startThreeEtcds(t)
  const endpoints = cluster.map(({ url }) => url)
  t.deepEqual(await ask(endpoints), [
    ['healthy', ''],
    ['healthy', ''],
    ['healthy', ''],
  ])
  await cluster[0]?.kill()
  cluster[1]?.freeze()
  const [gone, frozen, alone] = await ask(endpoints)
  t.regex(gone?.join(' ') ?? '', /^silent connect ECONNREFUSED 127\.0\.0\.1:\d+$/)
  t.deepEqual(frozen, ['silent', 'no answer in 1500 ms'])
  // Whether it noticed already that nobody follows it.
  t.regex(alone?.[0] ?? '', /^(unhealthy|silent)$/)
})

test('behind TLS: with the authority and our certificate healthy, without them silent, and when the certificate ends', async (t) => {
  const tls = makeTls(tempFolder(t))
  const etcd = await startEtcd(t, { tls: { ...tls, clients: true } })
  const files = { caFile: tls.ca, certificateFile: tls.clientCertificate, keyFile: tls.clientKey }
  t.deepEqual(await ask([etcd.url], files), [['healthy', '']])
  t.is((await ask([etcd.url], { caFile: tls.ca }))[0]?.[0], 'silent')
  t.is((await ask([etcd.url]))[0]?.[0], 'silent')
  const flags = [`-etcd-cafile=${tls.ca}`, `-etcd-certfile=${tls.clientCertificate}`, `-etcd-keyfile=${tls.clientKey}`]
  const view = await viewWith(t, `-etcd-endpoints=${etcd.url}`, ...flags)
  t.like(view, { tls: 'mutual', connected: false, revision: null, endpoints: [{ health: 'healthy' }] })
  t.true((view.certificateEnds ?? 0) > Date.now())
  t.like(await viewWith(t, `-etcd-endpoints=${etcd.url}`, `-etcd-cafile=${tls.ca}`), {
    tls: 'server',
    certificateEnds: null,
  })
})

test('what answers but is no etcd is unknown, not healthy; an endless answer is cut off', async (t) => {
  const server = createServer((request, response) => {
    if (request.headers.host?.startsWith('localhost') !== true) return response.end('hello')
    const timer = setInterval(() => response.write('x'.repeat(1000)), 5)
    return response.on('close', () => {
      clearInterval(timer)
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  t.deepEqual(await ask([`http://127.0.0.1:${port}`, `http://localhost:${port}`]), [
    ['unknown', 'does not speak of its health'],
    ['unknown', 'does not speak of its health'],
  ])
})
