// examples/etcd-roles against a real etcd with users, over TLS: what a host may, what it may not, and what the operator may.
// docs/security.md rests on this.
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTls } from '../lab/world/etcd.ts'
import { BUNDLE, ROOT, ready, startFlanneld } from '../lab/actors/flanneld.ts'
import { PREFIX } from '../lab/scenarios/founding.ts'
import { type Lan, createLab } from '../lab/world/lab.ts'
import { CONFIG, type Member, argsFor, startMembers } from '../lab/world/etcd-members.ts'
import type { Running } from '../lab/world/process.ts'
import { subnetBeside } from '../lab/world/subnets.ts'
import { verb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'

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

/** An etcd that speaks TLS, and asks for certificates if told so. */
async function world(t: ExecutionContext, certificates: boolean): Promise<World> {
  const files = mkdtempSync(join(tmpdir(), 'flanneld-roles-'))
  t.teardown(() => {
    rmSync(files, { recursive: true })
  })
  const tls = makeTls(files, '192.168.19.120')
  const lan = await (await createLab(t)).lan()
  const shown = certificates ? `--cert=${tls.certificate} --key=${tls.key}` : ''
  const members = await startMembers(lan, {
    scheme: 'https',
    args: `--cert-file=${tls.certificate} --key-file=${tls.key} ${certificates ? `--client-cert-auth --trusted-ca-file=${tls.ca}` : ''}`,
    access: `--cacert=${tls.ca} ${shown}`,
  })
  const etcd = members[0] as Member
  const env = [
    `ETCDCTL_ENDPOINTS=${etcd.url} ETCDCTL_CACERT=${tls.ca}`,
    certificates ? `ETCDCTL_CERT=${tls.certificate} ETCDCTL_KEY=${tls.key}` : '',
  ].join(' ')
  let root = ''
  return {
    ...{ lan, tls },
    args: `${argsFor(members)} -etcd-cafile=${tls.ca}`,
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

test('roles by password: a host leases and cannot change the config; the operator can, and reserves', async (t) => {
  const { lan, args, script, as, enable } = await world(t, false)
  const [host, other] = await Promise.all([lan.host(121), lan.host(122)])
  const said = [await script('roles')]
  for (const [role, password] of Object.entries(PASSWORDS))
    said.push(await script(`user ${role} flannel-${role}`, password))
  await enable()
  // Again, with authentication on: nothing changes.
  said.push(await script('roles'), await script('user host flannel-host', PASSWORDS.host))
  t.false(said.join('').includes(PASSWORDS.host))

  const program = `env FLANNELD_ETCD_PASSWORD=${PASSWORDS.host} ${BUNDLE}`
  const daemons = await Promise.all(
    [host, other].map((one) => startFlanneld(one, `${args} -etcd-username=host -v=10`, program)),
  )
  const envs = await Promise.all([host, other].map((one, i) => ready(one, daemons[i] as (typeof daemons)[number])))
  await Promise.all(daemons.map((daemon) => daemon.line(/ ready: /)))
  const [own, peer] = envs.map((env) => (env['FLANNEL_SUBNET'] ?? '').replace('.1/24', '.0')) as [string, string]
  await waitFor('the peer', async () => (await host.run(`ip route show ${peer}/24`)) !== '')
  await daemons[0]?.line(/peers\.ts|etcd\.ts/)

  const hostUser = `host:${PASSWORDS.host}`
  const denied = /permission denied/
  t.regex(await as(hostUser, `put ${PREFIX}/config '{}'`), denied)
  t.regex(await as(hostUser, `del ${PREFIX}/config`), denied)
  t.regex(await as(hostUser, `put ${PREFIX}/shut-out/192.168.19.122 '{}'`), denied)
  t.regex(await as(hostUser, 'put /elsewhere 1'), denied)
  t.regex(await as(hostUser, 'get --prefix /'), denied)
  t.regex(await as(hostUser, `del --prefix ${PREFIX}/`), denied)
  t.regex(await as(hostUser, 'user add another:pw'), denied)
  t.regex(await as(hostUser, `put ${PREFIX}/subnets/10.2.5.0-24 '{}'`), /OK/, 'a host may write every lease')
  await as(hostUser, `del ${PREFIX}/subnets/10.2.5.0-24`)

  await host.run('cat >/run/new.json', JSON.stringify({ ...CONFIG, Backend: { Type: 'vxlan', DirectRouting: true } }))
  const asDaemon = await verb(host, 'config set /run/new.json')
  t.not(asDaemon.code, 0)
  t.regex(asDaemon.output, denied, 'through the daemon one has its rights')
  t.regex(asDaemon.output, /-etcd-username/)

  const as2 = (role: 'operator' | 'reader', words: string): ReturnType<typeof verb> =>
    verb(
      host,
      `${words} ${args.replace(/ -healthz-port=\d+/, '')} -etcd-username=${role} -etcd-password=${PASSWORDS[role]}`,
    )
  const set = await as2('operator', 'config set /run/new.json')
  t.is(set.code, 0, set.output)
  await daemons[0]?.line(/network config changed/)
  const free = subnetBeside(own, peer)
  const reserved = await as2('operator', `reserve ${free}/24 192.168.19.150`)
  t.is(reserved.code, 0, reserved.output)
  t.regex(await as(`operator:${PASSWORDS.operator}`, 'get --prefix /'), denied)
  const shut = await as2('operator', 'shut-out 192.168.19.150')
  t.deepEqual([shut.code, shut.output], [0, `192.168.19.150 is shut out; deleted: ${free}/24\n`])
  await daemons[0]?.line(/192\.168\.19\.150 is shut out/)
  t.is((await as2('operator', 'readmit 192.168.19.150')).code, 0)
  t.is((await as2('operator', `reserve ${free}/24 192.168.19.150`)).code, 0)
  const leases = await as2('reader', 'leases')
  t.is(leases.code, 0, leases.output)
  t.true(leases.output.includes(`${free}/24`), leases.output)
  const released = await as2('reader', `release ${free}/24`)
  t.not(released.code, 0)
  t.regex(released.output, denied)

  // The lease that somebody with more rights deleted comes back: the role is enough for that too.
  await as('root:rootpw', `del ${PREFIX}/subnets/${own}-24`)
  await daemons[0]?.line(/written anew/)
  for (const daemon of daemons) {
    notRefused(t, daemon)
    for (const password of Object.values(PASSWORDS)) t.false(daemon.output().includes(password))
  }
  for (const { output } of [asDaemon, set, reserved, leases, released])
    for (const password of Object.values(PASSWORDS)) t.false(output.includes(password))
})

test('roles by certificate: the common name is the user, and no password is anywhere', async (t) => {
  const { lan, args, tls, script, enable } = await world(t, true)
  const host = await lan.host(121)
  await script('roles')
  await script('-c user client flannel-host')
  await enable()
  const own = `-etcd-certfile=${tls.clientCertificate} -etcd-keyfile=${tls.clientKey}`
  const daemon = await startFlanneld(host, `${args} ${own}`)
  await ready(host, daemon)
  await daemon.line(/ ready: /)
  await host.run('cat >/run/new.json', JSON.stringify({ ...CONFIG, SubnetMin: '10.2.100.0' }))
  const set = await verb(host, 'config set /run/new.json')
  t.not(set.code, 0)
  t.regex(set.output, /permission denied/)
  notRefused(t, daemon)
})

test('a role for one host: it leases the subnet reserved for it, and can touch no other lease', async (t) => {
  const { lan, args, script, as, enable } = await world(t, false)
  const host = await lan.host(121)
  const reserve = await verb(host, `reserve 10.2.210.0/24 192.168.19.121 ${args.replace(/ -healthz-port=\d+/, '')}`)
  t.is(reserve.code, 0, reserve.output)
  await script('host host1 10.2.210.0/24', PASSWORDS.host)
  await enable()
  const program = `env FLANNELD_ETCD_PASSWORD=${PASSWORDS.host} ${BUNDLE}`
  const daemon = await startFlanneld(host, `${args} -etcd-username=host1`, program)
  const env = await ready(host, daemon)
  await daemon.line(/ ready: /)
  t.is(env['FLANNEL_SUBNET'], '10.2.210.1/24')
  const user = `host1:${PASSWORDS.host}`
  for (const words of [`put ${PREFIX}/subnets/10.2.211.0-24 '{}'`, `put ${PREFIX}/config '{}'`])
    t.regex(await as(user, words), /permission denied/)
  const other = JSON.stringify({ PublicIP: '192.168.19.130', BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:82' } }) // prettier-ignore
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
