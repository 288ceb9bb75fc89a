// Bad input in etcd, and no etcd at all: the daemon says in one line what is wrong and what to do, waits, and starts by
// itself once that is done.
import test, { type ExecutionContext } from 'ava'
import { copyFileSync } from 'node:fs'
import type { LeaseView } from '../../src/view/leases.ts'
import { allErrors, errors, strays } from '../lab/instruments/log-lines.ts'
import { BUNDLE, waitForSubnetEnv, residentBytes, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { tempFolder } from '../lab/world/temp-folder.ts'
import type { Running } from '../lab/world/process.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { tryUpTo, waitFor } from '../lab/instruments/wait.ts'
import { makeTls } from '../lab/world/tls.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const GO_LEASE = vxlanValue('192.168.19.150', '0a:00:00:00:00:01')
const GOOD = { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } }

async function world(t: ExecutionContext, args = ''): Promise<{ etcd: EtcdHost; host: Host }> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan, { args }), lan.host(121)])
  return { etcd, host }
}

/** Waits for the daemon's `count`-th error line, which has all of `named` in it and says that it waits. */
async function complains(t: ExecutionContext, daemon: Running, named: readonly string[], count = 1): Promise<string> {
  const said = named.includes('no answer') ? allErrors : errors
  const line = await waitFor(`error line ${count}`, () => said(daemon)[count - 1]).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
  for (const what of named) t.true(line.includes(what), `${what}: ${line}`)
  t.regex(line, /; waiting$/)
  return line
}

/** The daemon becomes ready, and said nothing but `lines` error lines until then. */
async function starts(t: ExecutionContext, host: Host, daemon: Running, lines = 1): Promise<void> {
  t.regex((await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'] ?? '', /^10\.2\.\d+\.1\/24$/)
  t.is(errors(daemon).length, lines, daemon.output())
  t.deepEqual(strays(daemon), [])
  t.deepEqual(await daemon.stop(), { code: 0, signal: null })
}

test.serial('etcd refuses the connection: endpoint and cause are reported', async (t) => {
  const { etcd, host } = await world(t)
  await etcd.configure(GOOD)
  const daemon = await startFlanneld(host, ARGS.replace(':2379', ':2479'))
  await complains(t, daemon, ['http://192.168.19.120:2479', 'ECONNREFUSED'])
  await etcd.run('iptables -t nat -A PREROUTING -p tcp --dport 2479 -j REDIRECT --to-ports 2379')
  await starts(t, host, daemon)
})

test.serial('etcd in a black hole: a line says that there is no answer, before any call has failed', async (t) => {
  const { etcd, host } = await world(t)
  await etcd.configure(GOOD)
  await etcd.run('iptables -I INPUT -i enp0s3 -p tcp --dport 2379 -j DROP')
  const daemon = await startFlanneld(host, ARGS)
  await complains(t, daemon, ['http://192.168.19.120:2379', 'no answer'])
  // The call's own deadline adds what gRPC knows of it.
  await complains(t, daemon, ['http://192.168.19.120:2379', 'no answer from'])
  await etcd.run('iptables -D INPUT -i enp0s3 -p tcp --dport 2379 -j DROP')
  await starts(t, host, daemon)
})

test.serial('no config: the line has the command that repairs it, and repairing it is enough', async (t) => {
  const { etcd, host } = await world(t)
  const daemon = await startFlanneld(host, ARGS)
  const line = await complains(t, daemon, [`${PREFIX}/config`, 'not found'])
  const [command = ''] = /etcdctl put \S+ '[^']*'/.exec(line) ?? []
  await etcd.run(command)
  await starts(t, host, daemon)
})

test.serial('a config stored through the v2 API: the line says that v3 does not see it', async (t) => {
  const { etcd, host } = await world(t, '--enable-v2')
  const config = JSON.stringify(GOOD)
  await etcd.run(`ETCDCTL_API=2 etcdctl set ${PREFIX}/config '${config}'`)
  t.is((await etcd.run(`ETCDCTL_API=2 etcdctl get ${PREFIX}/config`)).trim(), config)
  const daemon = await startFlanneld(host, ARGS)
  await complains(t, daemon, [`${PREFIX}/config`, 'v2 API', 'ETCDCTL_API=3'])
  await etcd.run(`ETCDCTL_API=3 etcdctl put ${PREFIX}/config '${config}'`)
  await starts(t, host, daemon)
})

test.serial('each bad config is refused with path, value and rule; a good one starts the daemon', async (t) => {
  const { etcd, host } = await world(t)
  const put = (text: string): Promise<string> => etcd.run(`etcdctl put ${PREFIX}/config`, text)
  const bad: readonly (readonly [string, ...string[]])[] = [
    ['{"Network": "10.2.0.0/16",}', 'line 1, column 27', '}', 'a key in double quotes'],
    ['{"Network": "10.2.0.0/16"', 'line 1', 'the text ends'],
    ['nonsense', 'line 1, column 1', 'nonsense', 'JSON'],
    ['[]', '[]', 'must be an object', '"Network"'],
    ['{}', 'Network: undefined', 'must be an IPv4 network', '10.2.0.0/16'],
    ['{"Network":"10.2.0.0/33"}', 'Network', '10.2.0.0/33', 'must be an IPv4 network'],
    ['{"Network":"10.2.0.0/29"}', 'Network', '10.2.0.0/29', '/28 or larger'],
    ['{"Network":"127.0.0.0/16"}', 'Network', '127.0.0.0/16', 'loopback'],
    ['{"Network":"10.2.0.0/16","SubnetLen":16}', 'SubnetLen', '16', 'from 18 to 30'],
    ['{"Network":"10.2.0.0/16","SubnetLen":31}', 'SubnetLen', '31', 'from 18 to 30'],
    ['{"Network":"10.2.0.0/16","SubnetMin":"10.3.0.0"}', 'SubnetMin', '10.3.0.0', 'inside 10.2.0.0/16'],
    ['{"Network":"10.2.0.0/16","SubnetMin":"10.2.0.9"}', 'SubnetMin', '10.2.0.9', 'first address of a /24'],
    ['{"Network":"10.2.0.0/16","SubnetMin":"10.2.9.0","SubnetMax":"10.2.8.0"}', 'SubnetMax', '10.2.8.0', '10.2.9.0'],
    ['{"Network":"10.2.0.0/16","Backend":"vxlan"}', 'Backend', '"vxlan"', 'must be an object'],
    ['{"Network":"10.2.0.0/16","Backend":{}}', 'Backend.Type', 'must name a backend'],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlna"}}', 'Backend.Type', 'vxlna', 'did you mean vxlan?'],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"gre"}}', 'Backend.Type', 'gre', 'vxlan, host-gw'],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","Port":70000}}', 'Backend.Port', '70000', '65535'],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":0}}', 'Backend.VNI', '0', 'from 1 to 9999999'],
    ['{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","DirectRouting":"yes"}}', 'DirectRouting', 'true or false'],
    // a network of this host
    [
      '{"Network":"192.168.0.0/16"}',
      'Network',
      '192.168.0.0/16',
      '192.168.19.0/24',
      'enp0s3',
      '-force-network-overlap',
    ],
  ]
  await put(bad[0]?.[0] ?? '')
  const daemon = await startFlanneld(host, ARGS)
  for (const [index, [text, ...named]] of bad.entries()) {
    if (index > 0) await put(text)
    await complains(t, daemon, ['network config: ', ...named], index + 1)
  }
  await etcd.configure(GOOD)
  await starts(t, host, daemon, bad.length)
})

test.serial('a Network that overlaps starts when forced, and when the host no longer has that network', async (t) => {
  const { etcd, host } = await world(t)
  await etcd.configure(GOOD)
  await host.run(
    'ip link add eth7 type veth peer name eth8 && ip addr add 10.2.77.9/16 dev eth7 && ip link set eth7 up',
  )
  const overlaps = ['10.2.0.0/16 overlaps 10.2.0.0/16 on eth7', '-force-network-overlap']
  const refused = await startFlanneld(host, ARGS)
  await complains(t, refused, overlaps)
  // One daemon at a time has a network of a host.
  await refused.stop()
  const forced = await startFlanneld(host, `${ARGS} -force-network-overlap -subnet-file=/run/forced.env`)
  await waitForSubnetEnv(host, forced, '/run/forced.env')
  await forced.stop()
  t.deepEqual(errors(forced), [])
  const daemon = await startFlanneld(host, ARGS)
  await complains(t, daemon, overlaps)
  await host.run('ip link del eth7')
  await waitFor('the other to start', () => host.run('cat /run/flannel/subnet.env'))
  await starts(t, host, daemon)
})

test.serial(
  'a wrong password: a line that names the flags and not the password; right in etcd, it starts',
  async (t) => {
    const { etcd, host } = await world(t)
    await etcd.configure(GOOD)
    await etcd.run(`etcdctl user add root:root && etcdctl user grant-role root root
    etcdctl user add flannel:other && etcdctl role add flannel && etcdctl user grant-role flannel flannel
    etcdctl auth enable`)
    const secret = 'geheim-4711'
    const daemon = await startFlanneld(
      host,
      `${ARGS} -etcd-username=flannel`,
      `env FLANNELD_ETCD_PASSWORD=${secret} ${BUNDLE}`,
    )
    await complains(t, daemon, ['authentication failed', '-etcd-username', '-etcd-password'])
    await etcd.run(`etcdctl --user=root:root user passwd --interactive=false flannel`, `${secret}\n`)
    // Known, but not allowed to read.
    await complains(t, daemon, ['permission denied', '-etcd-prefix'], 2)
    await etcd.run(`etcdctl --user=root:root role grant-permission --prefix flannel readwrite ${PREFIX}`)
    await starts(t, host, daemon, 2)
    t.false(daemon.output().includes(secret))
  },
)

test.serial('no user where etcd asks for one: the line names the flags', async (t) => {
  const { etcd, host } = await world(t)
  await etcd.run('etcdctl user add root:root && etcdctl user grant-role root root && etcdctl auth enable')
  const daemon = await startFlanneld(host, ARGS)
  await complains(t, daemon, ['user name is empty', '-etcd-username', '-etcd-password'])
})

test.serial(
  'a wrong authority: a line that names -etcd-cafile; the right one in its place starts the daemon',
  async (t) => {
    const host = await (await (await createLab(t)).lan()).host(121)
    const tls = makeTls(tempFolder(t), host.address)
    const { ca } = makeTls(tempFolder(t))
    const urls = `https://${host.address}:2379,http://${host.address}:2378`
    await startEtcd(host, { tls, args: `--listen-client-urls=${urls}`, config: GOOD })
    const args = `-iface=enp0s3 -etcd-prefix=${PREFIX} -etcd-endpoints`
    const plain = await startFlanneld(host, `${args}=https://192.168.19.121:2378 -etcd-cafile=${tls.ca}`)
    await complains(t, plain, ['https://192.168.19.121:2378', 'https?'])
    await plain.stop()
    const http = await startFlanneld(host, `${args}=http://192.168.19.121:2379`)
    await complains(t, http, ['http://192.168.19.121:2379', 'plain http?'])
    await http.stop()
    const daemon = await startFlanneld(host, `${args}=https://192.168.19.121:2379 -etcd-cafile=${ca}`)
    await complains(t, daemon, ['https://192.168.19.121:2379', 'certificate', '-etcd-cafile'])
    copyFileSync(tls.ca, ca)
    await starts(t, host, daemon)
  },
)

test.serial(
  'values of 72 MB in total among the leases: daemon, leases and doctor keep reading, and name them',
  async (t) => {
    const { etcd, host } = await world(t)
    await etcd.configure(GOOD)
    const value = 'x'.repeat(1_200_000)
    const names = Array.from({ length: 60 }, (_, i) => `10.2.${100 + i}.0-24`)
    await putLeases(etcd, [...names.map((name) => ({ name, value })), { name: '10.2.200.0-24', value: GO_LEASE }])
    const daemon = await startFlanneld(host, ARGS)
    await daemon.line(/ ready: /)
    t.regex(daemon.output(), / 1 peers at /)
    t.true(residentBytes(daemon) < 300e6, `${residentBytes(daemon)} bytes`)
    const { leases } = JSON.parse((await runVerb(host, `leases -json ${ARGS}`)).stdout) as LeaseView
    t.is(leases.filter(({ note }) => note.includes('oversized')).length, 60)
    // On a busy machine doctor may give up reading before etcd has sent all that.
    const named = async (): Promise<boolean> => /1200000 bytes/.test((await runVerb(host, `doctor ${ARGS}`)).output)
    t.true(await tryUpTo(5, 'doctor names them', named, t.log))
    t.deepEqual(strays(daemon), [])
  },
)
