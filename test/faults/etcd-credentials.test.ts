// How etcd is reached: TLS files, user names, tokens.
import { writeFileSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { OperatorError } from '../../src/errors.ts'
import { openStore } from '../../src/etcd/client.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { freePort } from '../lab/world/free-port.ts'
import { makeTls } from '../lab/world/tls.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import { type Etcd, startEtcd } from '../lab/world/etcd.ts'
import { PASSWORD, etcdFailure, openTestStore } from '../lab/world/store.ts'

test('the CA alone is enough; without it, or with another, the cause is TLS', async (t) => {
  const tls = makeTls(tempFolder(t))
  const etcd = await startEtcd(t, { tls })
  const endpoints = [etcd.url]
  const store = openTestStore(t, { endpoints, caFile: tls.ca })
  t.truthy(await store.commit([], [{ type: 'put', key: '/a', value: '', lease: '0' }]))
  t.is((await etcdFailure(openTestStore(t, { endpoints }).get('/a'))).why, 'tls')
  const other = makeTls(tempFolder(t))
  const error = await etcdFailure(openTestStore(t, { endpoints, caFile: other.ca }).get('/a'))
  t.is(error.why, 'tls')
  t.true(error.message.includes(etcd.url))
  t.is(
    (await etcdFailure(openTestStore(t, { endpoints: [etcd.url.replace('https', 'http')] }).get('/a'))).why,
    'unreachable',
  )
  const plain = await startEtcd(t)
  t.is(
    (await etcdFailure(openTestStore(t, { endpoints: [plain.url.replace('http', 'https')], caFile: tls.ca }).get('/a')))
      .why,
    'tls',
  )
})

test('endpoints without a scheme are TLS with an authority, and http and https endpoints mix', async (t) => {
  const tls = makeTls(tempFolder(t))
  const [secure, plain] = [await freePort(), await freePort()]
  const urls = `https://127.0.0.1:${secure},http://127.0.0.1:${plain}`
  await startEtcd(t, { tls, port: secure, args: `--listen-client-urls=${urls} --advertise-client-urls=${urls}` })
  const bare = openTestStore(t, { endpoints: [`127.0.0.1:${secure}`], caFile: tls.ca })
  t.is((await bare.get('/a')).entry, undefined)
  const mixed = openTestStore(t, {
    endpoints: [`http://127.0.0.1:${plain},https://127.0.0.1:${secure}`],
    caFile: tls.ca,
  })
  for (let i = 0; i < 12; i++) t.is((await mixed.get('/a')).entry, undefined)
  // The first decides for the second, which then does not answer: its calls go to the other one.
  const first = openTestStore(t, {
    endpoints: [`https://127.0.0.1:${secure},http://127.0.0.1:${plain}`],
    caFile: tls.ca,
  })
  for (let i = 0; i < 12; i++) t.is((await first.get('/a')).entry, undefined)
  t.is((await etcdFailure(openTestStore(t, { endpoints: [`127.0.0.1:${secure}`] }).get('/a'))).why, 'unreachable')
})

test('a client certificate is shown; without one the cause is TLS', async (t) => {
  const tls = makeTls(tempFolder(t))
  const etcd = await startEtcd(t, { tls: { ...tls, clients: true } })
  const endpoints = [etcd.url]
  const files = { caFile: tls.ca, certificateFile: tls.clientCertificate, keyFile: tls.clientKey }
  const store = openTestStore(t, { endpoints, ...files })
  t.truthy(await store.commit([], [{ type: 'put', key: '/a', value: '', lease: '0' }]))
  t.is((await etcdFailure(openTestStore(t, { endpoints, caFile: tls.ca }).get('/a'))).why, 'tls')
})

test('replaced files are used for the next connection; a broken one is reported', async (t) => {
  const first = makeTls(tempFolder(t))
  const second = makeTls(tempFolder(t))
  const caFile = join(tempFolder(t), 'ca.pem')
  copyFileSync(first.ca, caFile)
  const port = await freePort()
  const etcd = await startEtcd(t, { tls: first, port })
  const store = openTestStore(t, { endpoints: [etcd.url], caFile })
  const abort = new AbortController()
  t.teardown(() => {
    abort.abort()
  })
  let steps = 0
  void (async () => {
    for await (const step of store.watch('/', abort.signal)) if (step.type !== 'disconnected') steps++
  })()
  await waitFor('the watch', () => steps === 1)
  await etcd.kill()
  await startEtcd(t, { tls: second, port })
  t.is((await etcdFailure(store.get('/a'))).why, 'tls')
  writeFileSync(caFile, 'half a file')
  const error = await etcdFailure(store.get('/a'))
  t.is(error.why, 'tls')
  t.true(error.message.includes(`etcd-cafile: ${caFile}: not a certificate in PEM form`), error.message)
  copyFileSync(second.ca, caFile)
  await waitFor('the call', () => store.get('/a').then(() => true))
  await waitFor('the watch', () => steps === 2)
})

for (const [what, files, line] of [
  ['a missing CA', { caFile: '/nowhere/ca.pem' }, /^etcd-cafile: \/nowhere\/ca.pem: ENOENT/],
  ['a CA that is none', { caFile: '/etc/hostname' }, /^etcd-cafile: \/etc\/hostname: not a certificate/],
  ['a key without certificate', { keyFile: '/etc/hostname' }, /^etcd-certfile: not given/],
  ['a certificate without key', { certificateFile: '/etc/hostname' }, /^etcd-keyfile: not given/],
  [
    'an unreadable folder for a key',
    { certificateFile: '/proc/1/mem', keyFile: '/x' },
    /^etcd-certfile: \/proc\/1\/mem: /,
  ],
] as const) {
  test(`${what} is an error that names flag and file`, (t) => {
    const error = t.throws(() => openStore({ endpoints: ['https://127.0.0.1:1'], ...files }), {
      instanceOf: OperatorError,
    })
    t.regex(error.message, line)
  })
}

test('a key that does not match the certificate is reported', (t) => {
  const a = makeTls(tempFolder(t))
  const b = makeTls(tempFolder(t))
  const options = { endpoints: ['https://127.0.0.1:1'], certificateFile: a.clientCertificate, keyFile: b.clientKey }
  const error = t.throws(() => openStore(options), { instanceOf: OperatorError })
  t.is(error.message, `etcd-keyfile: ${b.clientKey}: not the key of the certificate in ${a.clientCertificate}`)
})

async function withUsers(t: ExecutionContext, args = ''): Promise<Etcd> {
  const etcd = await startEtcd(t, { args })
  await etcd.etcdctl(`user add root:${PASSWORD}`)
  await etcd.etcdctl('user grant-role root root')
  await etcd.etcdctl('role add flannel')
  await etcd.etcdctl('role grant-permission flannel readwrite --prefix=true /n/')
  await etcd.etcdctl(`user add flannel:${PASSWORD}`)
  await etcd.etcdctl('user grant-role flannel flannel')
  await etcd.etcdctl('auth enable')
  return etcd
}

test('username and password; a wrong one, none, and a foreign prefix are reported, the password never', async (t) => {
  const etcd = await withUsers(t)
  const endpoints = [etcd.url]
  const store = openTestStore(t, { endpoints, username: 'flannel', password: PASSWORD })
  t.truthy(await store.commit([], [{ type: 'put', key: '/n/a', value: '', lease: await store.grant(60) }]))
  t.is((await store.range('/n/')).entries.length, 1)
  const wrong = `not-${PASSWORD}`
  const errors = [
    await etcdFailure(openTestStore(t, { endpoints, username: 'flannel', password: wrong }).get('/n/a')),
    await etcdFailure(openTestStore(t, { endpoints, username: 'nobody', password: PASSWORD }).get('/n/a')),
    await etcdFailure(openTestStore(t, { endpoints, username: 'flannel' }).get('/n/a')),
    await etcdFailure(openTestStore(t, { endpoints }).get('/n/a')),
    await etcdFailure(store.get('/elsewhere')),
  ]
  for (const error of errors) {
    t.is(error.why, 'auth', error.message)
    t.true(error.message.startsWith(`etcd: ${etcd.url}: `))
    t.false(`${error.message}${error.stack}${JSON.stringify(error)}`.includes(PASSWORD))
  }
  const url = etcd.url.replace('//', `//flannel:${PASSWORD}@`)
  const error = t.throws(() => openStore({ endpoints: [url] }), { instanceOf: OperatorError })
  t.false(error.message.includes(PASSWORD))
})

test('a user given to an etcd without users is no error, as in Go, and is used once there are users', async (t) => {
  const etcd = await startEtcd(t)
  const store = openTestStore(t, { endpoints: [etcd.url], username: 'root', password: PASSWORD })
  await store.get('/a')
  await etcd.etcdctl(`user add root:${PASSWORD}`)
  await etcd.etcdctl('user grant-role root root')
  await etcd.etcdctl('auth enable')
  t.is((await store.get('/a')).entry, undefined)
  t.is(await store.keepAlive(await store.grant(60)), 60)
})

test('tokens that expire are renewed by calls, renewals and the watch', async (t) => {
  const etcd = await withUsers(t, '--auth-token-ttl=1')
  const store = openTestStore(t, { endpoints: [etcd.url], username: 'flannel', password: PASSWORD })
  const abort = new AbortController()
  t.teardown(() => {
    abort.abort()
  })
  const lease = await store.grant(60)
  await store.commit([], [{ type: 'put', key: '/n/0', value: '', lease }])
  const keys: string[] = []
  const snapshots: string[] = []
  void (async () => {
    for await (const step of store.watch('/n/', abort.signal)) {
      if (step.type === 'snapshot') snapshots.push(step.snapshot.revision)
      if (step.type === 'changes')
        for (const change of step.changes) if (change.type === 'put') keys.push(change.entry.key)
    }
  })()
  await waitFor('the watch', () => snapshots.length === 1)
  // A restart forgets every token, as expiry does, and cuts the watch too.
  for (let i = 1; i <= 3; i++) {
    await etcd.start()
    await waitFor('a renewal', () => store.keepAlive(lease).then((ttl) => ttl === 60))
    await waitFor('a write', () =>
      store.commit([], [{ type: 'put', key: `/n/${i}`, value: '', lease }]).then(() => true),
    )
    await waitFor('the event', () => keys.includes(`/n/${i}`))
  }
  // And expiry itself: 50 calls at once with a token past its time.
  const token = Date.now()
  await waitFor('the token to expire', () => Date.now() > token + 2_500)
  await Promise.all(Array.from({ length: 50 }, () => store.get('/n/0')))
  t.is(snapshots.length, 1)
})
