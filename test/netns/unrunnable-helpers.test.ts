// A config of udp or extension that this host cannot run: named by key, value, rule and fix before anything is touched, at a start and
// while running; once the obstacle is gone the config is applied.
import test, { type ExecutionContext } from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const VXLAN = { Type: 'vxlan' }
const UDP = { Type: 'udp' }

function extensionWith(command: string): object {
  return { Type: 'extension', PreStartupCommand: command }
}

/** Has UDP port 8285 on all addresses. */
const BINDS = `${process.execPath} -e "require('dgram').createSocket('udp4').bind(8285, () => console.log('bound'))"`

async function world(t: ExecutionContext, backend: object): Promise<{ etcd: EtcdHost; host: Host }> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await configure(etcd, backend)
  return { etcd, host }
}

function configure(etcd: EtcdHost, backend: object): Promise<unknown> {
  return etcd.configure({ Network: '10.2.0.0/16', Backend: backend })
}

function complains(daemon: Running, what: RegExp): Promise<string> {
  return waitFor(`${what}`, () => errors(daemon).find((line) => what.test(line))).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
}

function stateOf(host: Host): Promise<string> {
  return host.run('ip -4 -d addr show; ip route; nft list tables; cat /run/flannel/subnet.env 2>/dev/null || true')
}

const NO_TUN =
  /Backend\.Type: \/dev\/net\/tun: cannot be opened \(ENOENT\): load the module with modprobe tun, .*; waiting$/

/** What is wrong, and how it ends. */
const AT_START = [
  ['no /dev/net/tun', UDP, 'mount -t tmpfs none /dev/net', NO_TUN, 'umount /dev/net'],
  [
    'a command that is not there',
    extensionWith('/run/mine --now'),
    '',
    /Backend\.PreStartupCommand: \/run\/mine: is not here or cannot be executed: give a program .*; waiting$/,
    'printf "#!/bin/sh\\necho x" >/run/new; chmod 755 /run/new; mv /run/new /run/mine',
  ],
  [
    'a command that cannot be executed',
    extensionWith('/run/mine --now'),
    'printf "#!/bin/sh\\necho x" >/run/mine',
    /Backend\.PreStartupCommand: \/run\/mine: is not here or cannot be executed: give a program .*; waiting$/,
    'chmod 755 /run/mine',
  ],
  [
    'a command that fails',
    extensionWith('cat /run/mine || exit 3'),
    '',
    /Backend\.PreStartupCommand: sh: ended with status 3: cat: \/run\/mine: .*: correct the command, or what it needs; waiting$/,
    'echo x >/run/mine',
  ],
] as const

for (const [what, backend, harm, says, cure] of AT_START) {
  test.serial(`${what}: a start touches nothing and waits, then continues by itself`, async (t) => {
    const { etcd, host } = await world(t, backend)
    await host.run(harm)
    const before = await stateOf(host)
    const daemon = await startFlanneld(host, ARGS)
    await complains(daemon, says)
    t.is(await stateOf(host), before)
    t.deepEqual(await etcd.leases(), [])
    await host.run(cure)
    await waitForSubnetEnv(host, daemon)
    await daemon.line(/ ready: /)
    t.is(errors(daemon).length, 1)
  })
}

test.serial('the same while running: what runs is kept, until there is nothing in the way', async (t) => {
  const { etcd, host } = await world(t, VXLAN)
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/ ready: /)
  const program = await host.spawn(BINDS)
  await program.line(/bound/)
  const [before, leases] = [await stateOf(host), await etcd.leases()]
  await configure(etcd, extensionWith('/run/mine'))
  t.regex(
    await complains(daemon, /Backend\.PreStartupCommand: \/run\/mine: is not here/),
    /keeping the running config$/,
  )
  t.is(await stateOf(host), before)
  await configure(etcd, extensionWith('exit 3'))
  t.regex(
    await complains(daemon, /Backend\.PreStartupCommand: sh: ended with status 3: correct/),
    /keeping the running config$/,
  )
  t.is(await stateOf(host), before)
  await configure(etcd, UDP)
  const says =
    /Backend\.Port: 8285: in use by another program \(ss -ulpn sport = :8285 shows which\): stop it, or set another/
  t.regex(await complains(daemon, says), /keeping the running config$/)
  t.is(await stateOf(host), before)
  t.deepEqual(await etcd.leases(), leases)
  await program.stop('SIGKILL')
  await waitFor('the device', async () => / flannel0: /.test(await host.run('ip link')))
})
