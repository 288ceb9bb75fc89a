// How a running daemon keeps its access to etcd: tokens that expire or are forgotten, certificates replaced on disk.
import test from 'ava'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errors } from '../lab/instruments/log-lines.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { record } from '../lab/instruments/reliability.ts'
import { waitForPeer, putPeer, countMatches, watchTraffic } from '../lab/instruments/traffic.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { makeTls } from '../lab/world/tls.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const PASSWORD = 'correct-horse-battery'

test.serial('tokens that expire and are forgotten are renewed; the password from env is in no log', async (t) => {
  const lan = await (await createLab(t)).lan()
  const setup = { args: '--auth-token-ttl=3', config: CONFIG }
  const [plain, host] = await Promise.all([startEtcd(lan, setup), lan.host(121)])
  for (const command of [
    'user add root:rootpw',
    `user add flannel:${PASSWORD}`,
    'role add net',
    'user grant-role flannel net',
    `role grant-permission net --prefix=true readwrite ${PREFIX}/`,
    'user grant-role root root',
    'auth enable',
  ])
    await plain.etcdctl(command)
  const etcd: EtcdHost = { ...plain, etcdctl: (words, stdin) => plain.etcdctl(`--user=root:rootpw ${words}`, stdin) }

  const program = `env FLANNELD_ETCD_PASSWORD=${PASSWORD} ${BUNDLE}`
  const daemon = await startFlanneld(host, `${argsFor(plain)} -etcd-username=flannel -v=10`, program)
  const env = await waitForSubnetEnv(host, daemon)
  t.teardown(() => {
    if (!t.passed) t.log(daemon.output())
  })
  await daemon.line(/ ready: /)
  await putPeer(etcd, 30)
  await waitForPeer(host, 30, true)
  const watched = await watchTraffic(host, daemon)
  const began = performance.now()

  await waitFor('the token to expire', () => performance.now() - began > 6_000)
  const key = `${PREFIX}/subnets/${(env['FLANNEL_SUBNET'] ?? '').replace('.1/24', '.0-24')}`
  await etcd.etcdctl(`del ${key}`)
  await waitFor('our key', async () => (await etcd.etcdctl(`get --keys-only ${key}`)).includes(key))
  await putPeer(etcd, 31)
  await waitForPeer(host, 31, true)

  // Tokens are not stored: a member that starts again knows none.
  await plain.kill()
  await waitFor('the outage', () => countMatches(watched.lines(), /forwarding continues/) > 0)
  await plain.start()
  await putPeer(etcd, 32)
  const ms = await waitForPeer(host, 32, true)
  for (const n of [31, 32]) t.is(countMatches(watched.lines(), new RegExp(`peer 10\\.2\\.${n}\\.0/24 joined`)), 1)
  t.is(countMatches(watched.lines(), /peer 10\.2\.30/), 0)
  t.false(daemon.output().includes(PASSWORD))
  t.deepEqual(errors(daemon), [])
  await record({ fault: 'auth tokens expired and forgotten', promise: 'renewed, nothing missed', ms, test: t.title })
  watched.assertQuiet(t, 16)
})

test.serial(
  'every certificate replaced, by ones of a new CA: used without a restart, nothing is withdrawn',
  async (t) => {
    const [files, renewed] = [
      mkdtempSync(join(tmpdir(), 'flanneld-tls-')),
      mkdtempSync(join(tmpdir(), 'flanneld-tls-')),
    ]
    t.teardown(() => {
      ;[files, renewed].forEach((folder) => {
        rmSync(folder, { recursive: true })
      })
    })
    const tls = makeTls(files, '192.168.19.120')
    makeTls(renewed, '192.168.19.120')
    const lan = await (await createLab(t)).lan()
    const setup = { tls: { ...tls, clients: true }, config: CONFIG }
    const [etcd, host] = await Promise.all([startEtcd(lan, setup), lan.host(121)])
    const own = `-etcd-cafile=${tls.ca} -etcd-certfile=${tls.clientCertificate} -etcd-keyfile=${tls.clientKey}`
    const daemon = await startFlanneld(host, `${argsFor(etcd)} ${own}`)
    await waitForSubnetEnv(host, daemon)
    await putPeer(etcd, 30)
    await waitForPeer(host, 30, true)
    const watched = await watchTraffic(host, daemon)

    await etcd.kill()
    cpSync(renewed, files, { recursive: true })
    await etcd.start()
    const up = performance.now()
    await putPeer(etcd, 31)
    await waitForPeer(host, 31, true)
    const ms = performance.now() - up
    await waitFor('the return reported', () => countMatches(watched.lines(), /etcd is back/) === 1)
    t.is(countMatches(watched.lines(), /peer 10\.2\.31\.0\/24 joined/), 1)
    t.is(countMatches(watched.lines(), /peer /), 1)
    t.deepEqual(errors(daemon), [])
    await record({ fault: 'all certificates replaced', promise: 'used without a restart', ms, test: t.title })
    watched.assertQuiet(t, 8)
  },
)
