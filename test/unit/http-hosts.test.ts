// The host names the daemon answers to: its own, and no other.
import test from 'ava'
import fc from 'fast-check'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { hostRule, nameIn, ownNames, requestTarget } from '../../src/http/hosts.ts'
import { type Handler, serveRoutes } from '../../src/http/serve-routes.ts'

const own = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set(['host1', 'host1.example.org']))

async function passes(host: string, allowed: readonly string[] = []): Promise<boolean> {
  const name = nameIn(host)
  return name !== undefined && (await hostRule(own, allowed)(name))
}

for (const host of [
  '10.0.0.1',
  '10.0.0.1:9000',
  '[::1]:9000',
  '[fe80::1]',
  'localhost',
  'LocalHost:9000',
  'localhost.',
]) {
  test(`an address or localhost: ${host}`, async (t) => t.true(await passes(host)))
}
for (const host of ['host1', 'HOST1:9000', 'host1.example.org.']) {
  test(`a name of the host: ${host}`, async (t) => t.true(await passes(host)))
}
for (const host of [
  'evil.example',
  'evil.example:9000',
  'localhost.evil.example',
  'host1.evil.example',
  'host1.example.org.evil.example',
  '10.0.0.1.evil.example',
  '0x7f.1',
  '',
  ':9000',
  'a b',
  'localhost@evil.example',
  'localhost:9000:1',
  '[evil.example]',
  'localhost/evil.example',
]) {
  test(`another's name: ${host}`, async (t) => t.false(await passes(host)))
}

test('further names, all names under one, and any', async (t) => {
  t.true(await passes('metrics.example.net:9000', ['metrics.example.net']))
  t.true(await passes('a.b.example.net', ['.example.net']))
  t.false(await passes('example.net', ['.example.net']))
  t.false(await passes('evil-example.net', ['.example.net']))
  t.true(await passes('evil.example', ['*']))
})

test('a name is never longer than the host it is read from, and has neither port nor capitals', (t) => {
  fc.assert(
    fc.property(fc.string(), (host) => {
      const name = nameIn(host)
      return (
        name === undefined || (name.length <= host.length && !/[\s/?#@[\]]/.test(name) && name === name.toLowerCase())
      )
    }),
  )
  t.pass()
})

test('what is asked for: a path, a path with two slashes, a URL, and neither', (t) => {
  t.like(requestTarget('/a?b=c?d', 'h'), { path: '/a', hosts: ['h'] })
  t.is(requestTarget('/a?b=c?d', 'h')?.query.get('b'), 'c?d')
  t.like(requestTarget('//evil.example/metrics', 'h'), { path: '//evil.example/metrics', hosts: ['h'] })
  t.like(requestTarget('http://evil.example:9000/metrics', 'h'), {
    path: '/metrics',
    hosts: ['h', 'evil.example:9000'],
  })
  t.like(requestTarget('/', undefined), { path: '/', hosts: [] })
  t.is(requestTarget('*', 'h'), undefined)
  t.is(requestTarget('http://[', 'h'), undefined)
})

test("the host's own names: its hostname, under search domains, and what /etc/hosts calls it", async (t) => {
  const etc = await mkdtemp(join(tmpdir(), 'flanneld-etc-'))
  t.teardown(() => rm(etc, { recursive: true }))
  t.deepEqual([...(await ownNames(etc, 'Host1'))], ['host1'])
  await writeFile(
    join(etc, 'hosts'),
    '127.0.0.1 localhost\n127.0.1.1\tHost1.example.org host1 # evil.example\n10.0.0.9 other\n',
  )
  await writeFile(join(etc, 'resolv.conf'), '# search evil.example\nnameserver 10.0.0.1\nsearch corp.example lan.\n')
  t.deepEqual([...(await ownNames(etc, 'host1'))], ['host1', 'host1.example.org', 'host1.corp.example', 'host1.lan'])
})

test('another name is refused with what to do; health checks are answered, without why; a web page changes nothing', async (t) => {
  let changed = 0
  const routes = new Map<string, Handler>([
    ['GET /page', () => ({ status: 200, text: 'secret' })],
    ['GET /readyz', () => ({ status: 503, text: 'etcd at 10.0.0.1 is away' })],
    ['POST /v1/release', () => ({ status: 200, json: ++changed })],
  ])
  const server = createServer(serveRoutes(routes, { hosts: hostRule(own, []), open: ['/readyz'] }))
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const ask = async (
    path: string,
    headers: Record<string, string>,
    method = 'GET',
  ): Promise<readonly [number | undefined, string]> => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      request({ port, path, method, headers, agent: false }, resolve).on('error', reject).end(),
    )
    return [answer.statusCode, await text(answer)]
  }
  t.deepEqual(await ask('/page', { host: 'host1:9000' }), [200, 'secret'])
  const [status, why] = await ask('/page', { host: 'evil.example' })
  t.is(status, 421)
  t.regex(why, /evil\.example.*-healthz-allowed-hosts/)
  t.is((await ask('http://evil.example/page', { host: 'host1' }))[0], 421)
  t.is((await ask('/nowhere', { host: 'evil.example' }))[0], 421)
  t.deepEqual(await ask('/readyz', { host: 'lb.example' }), [503, 'Service Unavailable\n'])
  t.deepEqual(await ask('/readyz', { host: 'host1' }), [503, 'etcd at 10.0.0.1 is away'])
  t.is((await ask('/v1/release', { host: 'localhost', origin: 'http://evil.example' }, 'POST'))[0], 403)
  t.is((await ask('/v1/release', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 'POST'))[0], 403)
  t.is(changed, 0)
  t.is((await ask('/v1/release', { host: 'localhost' }, 'POST'))[0], 200)
})
