// What doctor puts into a bundle, and what must not be in it; its JSON; and hosts whose daemon does not get started.
import test from 'ava'
import { runDoctor } from '../lab/scenarios/doctor.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const SECRETS = {
  /** Only the daemon knows it. */
  daemon: 'known-to-the-daemon-4711',
  /** Given to doctor as an option. */
  doctor: 'known-to-doctor-4712',
  /** In a URL in the network config. */
  url: 'written-into-a-url-4713',
  /** In a key file that is named. */
  key: 'in-a-key-file-4714',
}

test('doctor -bundle: what is needed to help from afar, and no secret', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure({
    Network: '10.2.0.0/16',
    Backend: { Type: 'vxlan', Note: `see http://admin:${SECRETS.url}@192.168.19.120:2379/` },
  })
  await etcd.run(`etcdctl user add root:${SECRETS.daemon} && etcdctl user grant-role root root && etcdctl auth enable`)
  await host.run('cat >/etc/flanneld.key', `-----BEGIN PRIVATE KEY-----\n${SECRETS.key}\n-----END PRIVATE KEY-----\n`)
  const flags = `${ARGS} -etcd-username=root`
  const daemon = await startFlanneld(host, flags, `env FLANNELD_ETCD_PASSWORD=${SECRETS.daemon} ${BUNDLE}`)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)

  const files = '-etcd-certfile=/etc/flanneld.key -etcd-keyfile=/etc/flanneld.key'
  for (const [name, args] of [
    ['by env', `${flags} ${files}`],
    ['by flag', `${flags} ${files} -etcd-password=${SECRETS.doctor}`],
  ] as const) {
    const program = `env FLANNELD_ETCD_PASSWORD=${SECRETS.doctor} ${BUNDLE}`
    const { text } = await runDoctor(host, `${args} -bundle /run/b.tar.gz`, program)
    t.regex(text, /bundle: \/run\/b\.tar\.gz/)
    t.regex(text, /WARNING {2}config: .*Note/)
    t.is(await host.run('stat -c %a /run/b.tar.gz'), '600\n')
    await host.run('rm -rf /run/b && mkdir /run/b && tar -xzf /run/b.tar.gz -C /run/b')
    for (const secret of Object.values(SECRETS)) {
      t.is(await host.run(`grep -rl '${secret}' /run/b || true`), '', `${secret}, ${name}`)
      t.false(text.includes(secret))
    }
  }
  const names = (await host.run('ls /run/b/flanneld-doctor')).trim().split('\n')
  for (const name of [
    'doctor.txt',
    'doctor.json',
    'facts.json',
    'status.json',
    'peers.json',
    'events.json',
    'leases.json',
    'config.json',
    'subnet.env',
    'sysctl.txt',
    'snmp.txt',
    'version.txt',
    'ip-link.txt',
    'ip-addr.txt',
    'ip-route.txt',
    'ip-neigh.txt',
    'bridge-fdb.txt',
    'iptables.txt',
    'nft.txt',
  ])
    t.true(names.includes(name), name)
  const read = (name: string): Promise<string> => host.run(`cat /run/b/flanneld-doctor/${name}`)
  t.regex(await read('subnet.env'), /FLANNEL_SUBNET=10\.2\./)
  t.regex(await read('ip-link.txt'), /flannel\.1: /)
  t.regex(await read('config.json'), /see http:\/\/\(hidden\)@192\.168\.19\.120/)
  t.regex(await read('nft.txt'), /flannel-guard-1/)
  const facts = JSON.parse(await read('facts.json')) as { store: { content: { leases: unknown[] } } }
  t.is(facts.store.content.leases.length, 1)
})

test('doctor: before there is a config, and with an address that another host publishes', async (t) => {
  const lan = await (await createLab(t)).lan()
  const [etcd, host, twin] = await Promise.all([startEtcd(lan), lan.host(121), lan.host(122)])
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/no network config/)
  const early = await runDoctor(host)
  t.is(early.code, 2, early.text)
  t.regex(
    early.findings.find(({ check }) => check === 'daemon')?.cause ?? '',
    /the daemon is not ready: config: no network config/,
  )
  const config = early.findings.find(({ check }) => check === 'config')
  t.regex(config?.cause ?? '', /there is no network config/)
  t.true(
    ['lease', 'routes', 'firewall', 'peers'].every((name) => early.unchecked.includes(name)),
    early.text,
  )
  // What it says is what repairs it.
  await etcd.run((config?.fix ?? '').replace(/, or another.*/, ''))
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  t.is((await runDoctor(host)).code, 0)

  const second = await startFlanneld(twin, `${ARGS} -public-ip=${host.address}`)
  await second.line(/was recently renewed by/)
  const { findings } = await runDoctor(twin)
  const found = findings.find(({ check }) => check === 'duplicate-ip')
  t.is(found?.level, 'FAULT')
  t.regex(found?.cause ?? '', /another host publishes our address 192\.168\.19\.121/)
  t.regex(found?.fix ?? '', /give each host its own -public-ip; .*etcdctl del '\/docker-test\/network\/subnets\//)
})

test('doctor: udp-port: taken by a program; and the JSON of it', async (t) => {
  const { host } = await createOneHost(t)
  const thief = await host.spawn(
    `${process.execPath} -e "require('dgram').createSocket('udp4').bind(8472, () => console.log('bound'))"`,
  )
  await thief.line(/bound/)
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/8472: in use by another program/)
  const { findings, text } = await runDoctor(host)
  const found = findings.find(({ check }) => check === 'udp-port')
  t.regex(found?.cause ?? '', /^UDP 8472 is taken by (node|MainThread) \(pid \d+\): flannel\.1 cannot be set up$/, text)
  t.regex(found?.fix ?? '', /^stop (node|MainThread) \(pid \d+\), or give the network another port/)
  const json = await host.run(`${BUNDLE} doctor -json || true`)
  const report = JSON.parse(json) as { verdict: string; code: number; peer: null; checks: Record<string, unknown>[] }
  t.like(report, { verdict: 'broken', code: 2, peer: null })
  for (const check of report.checks) t.deepEqual(Object.keys(check), ['name', 'about', 'level', 'note', 'faults'])
})
