// doctor on etcd: with a daemon whose etcd stops answering or is gone, and from a host without one, at endpoints that are dead, slow,
// strange, or whose certificates are not what they should be.
import test from 'ava'
import { type DoctorReport, type PrintedFinding, runDoctor } from '../lab/scenarios/doctor.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, type Lan, createLab } from '../lab/world/lab.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import { withClock } from '../lab/preload/preload.ts'
import { waitForPeer, putPeer } from '../lab/instruments/traffic.ts'
import { makeTls } from '../lab/world/tls.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const owner = fileOwner()
let lan: Lan
let etcd: EtcdHost
/** Runs a daemon. */
let host: Host
/** Runs none. */
let bare: Host

test.before(async () => {
  lan = await (await createLab(owner)).lan()
  ;[etcd, host, bare] = await Promise.all([startEtcd(lan, { config: CONFIG }), lan.host(121), lan.host(122)])
  const daemon = await startFlanneld(host, argsFor(etcd))
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
})

const about = ({ findings }: DoctorReport, check: string): readonly PrintedFinding[] =>
  findings.filter((fault) => fault.check === check)

/** Asked where no daemon runs, at these endpoints. */
const at = (endpoints: string, more = '', program = BUNDLE): Promise<DoctorReport> =>
  runDoctor(bare, `-etcd-endpoints=${endpoints} -etcd-prefix=${PREFIX} -iface=enp0s3 ${more}`, program)

test.serial('doctor: etcd: no endpoint answers, or one of two', async (t) => {
  const none = await at('http://192.168.19.120:2399')
  const [all] = about(none, 'etcd')
  t.is(all?.level, 'FAULT')
  t.regex(all?.cause ?? '', /no etcd endpoint answers: forwarding stays as it is/)
  t.regex(all?.fix ?? '', /start etcd there, or correct -etcd-endpoints/)
  t.regex(all?.proof ?? '', /ECONNREFUSED 192\.168\.19\.120:2399/)
  t.true(
    ['config', 'lease', 'routes', 'overlap'].every((name) => none.unchecked.includes(name)),
    none.text,
  )

  const [one] = about(await at(`${etcd.url},http://192.168.19.120:2399`), 'etcd')
  t.is(one?.level, 'FAULT')
  t.regex(one?.cause ?? '', /an etcd endpoint does not answer: http:\/\/192\.168\.19\.120:2399/)
})

test.serial('doctor: etcd: slow', async (t) => {
  const relay = `require('net').createServer((near) => {
    const far = require('net').connect(2379, '192.168.19.120')
    const late = (to) => (data) => setTimeout(() => to.write(data), 250)
    near.on('data', late(far)).on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('data', late(near)).on('error', () => near.destroy())
  }).listen(2378, '0.0.0.0', () => console.log('late'))`
  const running = await etcd.spawn(`${process.execPath} -e "${relay}"`)
  await running.line(/late/)
  const [slow] = about(await at('http://192.168.19.120:2378'), 'etcd')
  t.is(slow?.level, 'WARNING')
  t.regex(slow?.cause ?? '', /etcd is slow: changes of hosts are seen late/)
  t.regex(slow?.fix ?? '', /etcdctl endpoint status/)
  t.regex(slow?.proof ?? '', /a read takes [5-9]\d\d ms/)
})

test.serial(
  'doctor: etcd-tls: a certificate that ends soon, has ended, is not valid yet, or is not trusted',
  async (t) => {
    const secure = await lan.host(110)
    const tls = makeTls(tempFolder(t), secure.address)
    const { url, etcdctl } = await startEtcd(secure, { tls })
    const files = `-etcd-cafile=${tls.ca} -etcd-certfile=${tls.clientCertificate} -etcd-keyfile=${tls.clientKey}`

    const soon = about(await at(url, files), 'etcd-tls')
    t.deepEqual([...new Set(soon.map(({ level, cause }) => `${level} ${cause}`))].toSorted(), [
      "FAULT etcd's certificate ends soon",
      'FAULT our certificate ends soon',
    ])
    t.regex(
      soon.find(({ proof }) => proof.includes('client.pem'))?.fix ?? '',
      /put a new certificate into .*client\.pem/,
    )

    const later = about(await at(url, files, `${withClock('=+3d')} ${BUNDLE}`), 'etcd-tls')
    t.true(later.some(({ level, cause }) => level === 'FAULT' && cause === 'our certificate has ended'))
    const before = about(await at(url, files, `${withClock('=-3d')} ${BUNDLE}`), 'etcd-tls')
    const early = before.find(({ cause }) => cause === 'our certificate is not valid yet')
    t.regex(early?.fix ?? '', /timedatectl set-ntp true/)

    const untrusted = about(await at(url), 'etcd-tls').find(({ cause }) => cause.startsWith('no secure connection'))
    t.regex(untrusted?.proof ?? '', /unable to (verify|get)|self.signed/)
    t.regex(untrusted?.fix ?? '', /check -etcd-cafile, -etcd-certfile and -etcd-keyfile/)
    const mixed = about(await at(url, files.replace('client.key', 'server.key')), 'etcd-tls')
    t.regex(mixed.map(({ proof }) => proof).join('\n'), /server\.key: not the key of the certificate in .*client\.pem/)

    for (const words of ['user add root:secret', 'user grant-role root root', 'auth enable']) await etcdctl(words)
    const [nobody] = about(await at(url, files), 'etcd')
    t.regex(nobody?.proof ?? '', /user name is empty/)
    t.regex(nobody?.fix ?? '', /check -etcd-username and the password/)
  },
)

test.serial('doctor: clock: an hour ahead', async (t) => {
  t.deepEqual(about(await runDoctor(host), 'clock'), [])
  const [found] = about(await runDoctor(host, '', `${withClock('=+1h')} ${BUNDLE}`), 'clock')
  t.is(found?.level, 'WARNING')
  t.regex(found?.cause ?? '', /this host's clock is 3(599|600|601) s ahead of etcd's/)
  t.regex(found?.fix ?? '', /^timedatectl set-ntp true/)
})

test.serial('doctor: etcd-watch: the connection went deaf without a word', async (t) => {
  await putPeer(etcd, 30)
  await waitForPeer(host, 30, true)
  await etcd.blackHole()
  await putPeer(etcd, 31)
  const [found] = about(await runDoctor(host), 'etcd-watch')
  t.is(found?.level, 'FAULT')
  t.regex(found?.cause ?? '', /the daemon does not follow etcd: it is behind by 1 peer$/)
  t.regex(found?.fix ?? '', /^systemctl restart flanneld/)
  t.regex(found?.proof ?? '', /10\.2\.31\.0\/24: stored 192\.168\.19\.31, the daemon has none/)
})

test.serial('doctor: etcd: away from a running daemon, whose host is judged by what it knows', async (t) => {
  await waitForPeer(host, 31, true, 60_000)
  await etcd.kill()
  const { findings, unchecked, text } = await runDoctor(host)
  t.deepEqual(
    [...new Set(findings.map(({ check }) => check))].filter((check) => check !== 'peers'),
    ['etcd'],
    text,
  )
  t.true(
    ['config', 'etcd-watch', 'lease', 'peer-leases', 'duplicate-ip', 'clock'].every((name) => unchecked.includes(name)),
  )
  t.regex(text, /ok: .*routes, neighbours, .*fdb/)
})
