// examples/etcd-roles against a real etcd with users, over TLS: what a host may, what it may not, and what the operator may.
// docs/security.md rests on this.
import test, { type ExecutionContext } from 'ava'
import { join } from 'node:path'
import { BUNDLE, ROOT, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import { type Host, type Lan, createLab } from '../lab/world/lab.ts'
import type { Owner } from '../lab/world/space.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import type { Running } from '../lab/world/process.ts'
import { subnetBeside } from '../lab/world/subnets.ts'
import { type VerbEnd, runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { makeTls } from '../lab/world/tls.ts'
import { CONFIG, PREFIX, argsFor } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const SCRIPT = join(ROOT, 'examples/etcd-roles/make-roles.sh')
const PASSWORDS = { host: 'correct-horse', operator: 'battery-staple', reader: 'tell-me-all' }

interface World {
  readonly lan: Lan
  /** The daemons' flags, users left out. */
  readonly args: string
  readonly tls: ReturnType<typeof makeTls>
  /** Runs the script as root of etcd. */
  script(words: string, password?: string): Promise<string>
  /** Runs etcdctl as a user, "name:password"; what it said, also when it failed. */
  as(user: string, words: string): Promise<string>
  enable(): Promise<void>
}

/** An etcd that speaks TLS, and asks for certificates on demand. */
async function world(owner: Owner, certificates: boolean): Promise<World> {
  const tls = makeTls(tempFolder(owner), '192.168.19.120')
  const lan = await (await createLab(owner)).lan()
  const etcd = await startEtcd(lan, { tls: { ...tls, clients: certificates }, config: CONFIG })
  const env = [
    `ETCDCTL_ENDPOINTS=${etcd.url} ETCDCTL_CACERT=${tls.ca}`,
    certificates ? `ETCDCTL_CERT=${tls.certificate} ETCDCTL_KEY=${tls.key}` : '',
  ].join(' ')
  let root = ''
  return {
    lan,
    tls,
    args: `${argsFor(etcd)} -etcd-cafile=${tls.ca}`,
    script: (words, password = '') =>
      etcd.run(`env ${env} ${root} ${SCRIPT} -p ${PREFIX} ${words} 2>&1`, `${password}\n`),
    as: (user, words) => etcd.run(`env ${env} ETCDCTL_USER=${user} etcdctl ${words} 2>&1 || true`),
    async enable() {
      await etcd.run(`set -e; export ${env}
        printf 'rootpw\\n' | etcdctl user add root --interactive=false
        etcdctl user grant-role root root && etcdctl auth enable`)
      root = 'ETCDCTL_USER=root:rootpw'
    },
  }
}

/** A daemon whose role lacks a right says so. */
function notRefused(t: ExecutionContext, daemon: Running): void {
  t.notRegex(daemon.output(), /permission denied|user name is empty|authentication|invalid auth/)
}

/** Two daemons that log in as `host` by password, and what the tests on them have printed. */
const owner = fileOwner()
const printed: string[] = []
let shared: World
let host: Host
let daemon: Running
let peerDaemon: Running
let own: string
let peer: string

test.before(async () => {
  shared = await world(owner, false)
  const { lan, args, script, enable } = shared
  const hosts = [await lan.host(121), await lan.host(122)] as const
  printed.push(await script('roles'))
  for (const [role, password] of Object.entries(PASSWORDS))
    printed.push(await script(`user ${role} flannel-${role}`, password))
  await enable()
  const program = `env FLANNELD_ETCD_PASSWORD=${PASSWORDS.host} ${BUNDLE}`
  const start = async (on: Host): Promise<readonly [Running, string]> => {
    const running = await startFlanneld(on, `${args} -etcd-username=host -v=10`, program)
    const { FLANNEL_SUBNET = '' } = await waitForSubnetEnv(on, running)
    await running.line(/ ready: /)
    return [running, FLANNEL_SUBNET.replace('.1/24', '.0')]
  }
  host = hosts[0]
  ;[[daemon, own], [peerDaemon, peer]] = await Promise.all([start(hosts[0]), start(hosts[1])])
})

/** Runs a verb with the etcd user of a role. */
async function verbAs(role: 'operator' | 'reader', words: string): Promise<VerbEnd> {
  const etcd = shared.args.replace(/ -healthz-port=\d+/, '')
  return kept(runVerb(host, `${words} ${etcd} -etcd-username=${role} -etcd-password=${PASSWORDS[role]}`))
}

/** What a verb printed, kept for the last of these tests. */
async function kept(running: Promise<VerbEnd>): Promise<VerbEnd> {
  const end = await running
  printed.push(end.output)
  return end
}

const DENIED = /permission denied/

test.serial('make-roles.sh may run again with authentication on: nothing changes', async (t) => {
  printed.push(await shared.script('roles'), await shared.script('user host flannel-host', PASSWORDS.host))
  t.notRegex(printed.join(''), DENIED)
})

test.serial('the role host is enough to lease a subnet and to follow peers', async (t) => {
  await waitFor('the peer', async () => (await host.run(`ip route show ${peer}/24`)) !== '')
  await daemon.line(/daemon\/(peer-events|follow-etcd)\.ts:/)
  notRefused(t, daemon)
  notRefused(t, peerDaemon)
})

test.serial('the role host may write every lease, and nothing else', async (t) => {
  const user = `host:${PASSWORDS.host}`
  for (const words of [
    `put ${PREFIX}/config '{}'`,
    `del ${PREFIX}/config`,
    `put ${PREFIX}/shut-out/192.168.19.122 '{}'`,
    'put /elsewhere 1',
    'get --prefix /',
    `del --prefix ${PREFIX}/`,
    'user add another:pw',
  ])
    t.regex(await shared.as(user, words), DENIED, words)
  t.regex(await shared.as(user, `put ${PREFIX}/subnets/10.2.5.0-24 '{}'`), /OK/)
  await shared.as(user, `del ${PREFIX}/subnets/10.2.5.0-24`)
})

test.serial("a verb that asks the daemon has the daemon's rights, and says which flag gives others", async (t) => {
  await host.run('cat >/run/new.json', JSON.stringify({ ...CONFIG, Backend: { Type: 'vxlan', DirectRouting: true } }))
  const { code, output } = await kept(runVerb(host, 'config set /run/new.json'))
  t.not(code, 0)
  t.regex(output, DENIED)
  t.regex(output, /-etcd-username/)
})

test.serial('the operator changes the config', async (t) => {
  const { code, output } = await verbAs('operator', 'config set /run/new.json')
  t.is(code, 0, output)
  await daemon.line(/network config changed/)
})

test.serial('the operator reserves, shuts out and readmits, and reads nothing outside the network', async (t) => {
  const free = subnetBeside(own, peer)
  const reserved = await verbAs('operator', `reserve ${free}/24 192.168.19.150`)
  t.is(reserved.code, 0, reserved.output)
  t.regex(await shared.as(`operator:${PASSWORDS.operator}`, 'get --prefix /'), DENIED)
  const shut = await verbAs('operator', 'shut-out 192.168.19.150')
  t.deepEqual([shut.code, shut.output], [0, `192.168.19.150 is shut out; deleted: ${free}/24\n`])
  await daemon.line(/192\.168\.19\.150 is shut out/)
  t.is((await verbAs('operator', 'readmit 192.168.19.150')).code, 0)
  t.is((await verbAs('operator', `reserve ${free}/24 192.168.19.150`)).code, 0)
})

test.serial('the reader lists leases and may not release one', async (t) => {
  const free = subnetBeside(own, peer)
  const leases = await verbAs('reader', 'leases')
  t.is(leases.code, 0, leases.output)
  t.true(leases.output.includes(`${free}/24`), leases.output)
  const released = await verbAs('reader', `release ${free}/24`)
  t.not(released.code, 0)
  t.regex(released.output, DENIED)
})

test.serial('the role host is enough to register a lease again that a user with more rights deleted', async (t) => {
  await shared.as('root:rootpw', `del ${PREFIX}/subnets/${own}-24`)
  await daemon.line(/written again/)
  notRefused(t, daemon)
  notRefused(t, peerDaemon)
})

test.serial('no password was printed, by script, verbs or daemons at the highest verbosity', (t) => {
  const all = [...printed, daemon.output(), peerDaemon.output()].join('\n')
  for (const password of Object.values(PASSWORDS)) t.false(all.includes(password))
})

test.serial('roles by certificate: the common name is the user, and no password is anywhere', async (t) => {
  const { lan, args, tls, script, enable } = await world(t, true)
  const host = await lan.host(121)
  await script('roles')
  await script('-c user client flannel-host')
  await enable()
  const own = `-etcd-certfile=${tls.clientCertificate} -etcd-keyfile=${tls.clientKey}`
  const daemon = await startFlanneld(host, `${args} ${own}`)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  await host.run('cat >/run/new.json', JSON.stringify({ ...CONFIG, SubnetMin: '10.2.100.0' }))
  const set = await runVerb(host, 'config set /run/new.json')
  t.not(set.code, 0)
  t.regex(set.output, /permission denied/)
  notRefused(t, daemon)
})

test.serial('a role for one host: it leases the subnet reserved for it, and can touch no other lease', async (t) => {
  const { lan, args, script, as, enable } = await world(t, false)
  const host = await lan.host(121)
  const reserve = await runVerb(host, `reserve 10.2.210.0/24 192.168.19.121 ${args.replace(/ -healthz-port=\d+/, '')}`)
  t.is(reserve.code, 0, reserve.output)
  await script('host host1 10.2.210.0/24', PASSWORDS.host)
  await enable()
  const program = `env FLANNELD_ETCD_PASSWORD=${PASSWORDS.host} ${BUNDLE}`
  const daemon = await startFlanneld(host, `${args} -etcd-username=host1`, program)
  const env = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  t.is(env['FLANNEL_SUBNET'], '10.2.210.1/24')
  const user = `host1:${PASSWORDS.host}`
  for (const words of [`put ${PREFIX}/subnets/10.2.211.0-24 '{}'`, `put ${PREFIX}/config '{}'`])
    t.regex(await as(user, words), /permission denied/)
  const other = JSON.stringify({
    PublicIP: '192.168.19.130',
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:82' },
  })
  t.regex(await as('root:rootpw', `put ${PREFIX}/subnets/10.2.130.0-24 '${other}'`), /OK/)
  await waitFor('the peer', async () => (await host.run('ip route show 10.2.130.0/24')) !== '')
  notRefused(t, daemon)

  // Shut out as docs/security.md says: its lease does not come back, whatever it tries.
  const key = `${PREFIX}/subnets/10.2.210.0-24`
  t.regex(await as('root:rootpw', 'user delete host1'), /deleted/)
  await as('root:rootpw', `del ${key}`)
  await daemon.line(/lease.*(authentication|invalid|permission|password)/)
  t.is(await as('root:rootpw', `get --keys-only ${key}`), '')
})
