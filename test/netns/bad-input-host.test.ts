// A host that cannot do what it has to: a subnet.env that cannot be written, a kernel without vxlan; and one that can
// with less than root, or with two daemons on it.
import test, { type ExecutionContext } from 'ava'
import { errors, strays, warnings } from '../lab/instruments/log-lines.ts'
import { createContainer } from '../lab/world/container.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { type Host, type Lan } from '../lab/world/lab.ts'
import { preloaded } from '../lab/preload/preload.ts'
import type { Running } from '../lab/world/process.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost } from '../lab/world/etcd.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const HEALTH = '-healthz-ip=127.0.0.1 -healthz-port=9000'

async function world(t: ExecutionContext): Promise<{ lan: Lan; etcd: EtcdHost; host: Host }> {
  const { lan, etcd, host } = await createOneHost(t)
  return { lan, etcd, host }
}

/** The daemon's first error line, which has all of `named` in it. */
async function complains(t: ExecutionContext, daemon: Running, named: readonly string[]): Promise<void> {
  const line = await waitFor('an error line', () => errors(daemon)[0])
  for (const what of named) t.true(line.includes(what), `${what}: ${line}`)
  t.deepEqual(strays(daemon), [])
}

async function becomes(host: Host, status: number, text: RegExp): Promise<void> {
  await waitFor(`/readyz ${status} ${text}`, async () => {
    const answer = await askHealthPort(host, '/readyz')
    if (answer.status === status && text.test(answer.text)) return true
    throw new Error(`${answer.status} ${answer.text}`)
  })
}

for (const [what, spoil, file, repair, ...named] of [
  [
    'a read-only folder',
    'mkdir /run/f && mount -t tmpfs -o ro none /run/f',
    '/run/f/subnet.env',
    'mount -o remount,rw /run/f',
    'EROFS',
    'read-only',
    '-subnet-file',
  ],
  [
    'a full disk',
    'mkdir /run/f && mount -t tmpfs -o size=8k none /run/f && head -c 8k /dev/zero >/run/f/full',
    '/run/f/subnet.env',
    'rm /run/f/full',
    'ENOSPC',
    'no space left',
    'free some',
  ],
] as const) {
  test.serial(
    `subnet.env in ${what}: named, not ready, the data path works; written once that is repaired`,
    async (t) => {
      const { host } = await world(t)
      await host.run(spoil)
      const daemon = await startFlanneld(host, `${ARGS} -subnet-file=${file} ${HEALTH}`)
      await complains(t, daemon, ['subnet file', file, ...named])
      await becomes(host, 503, /subnet.env: subnet file cannot be written/)
      t.regex(await host.run('ip addr show flannel.1'), /inet 10\.2\.\d+\.0\/32/)
      await host.run(repair)
      await waitForSubnetEnv(host, daemon, file)
      await becomes(host, 200, /^flanneld is ready$/)
      t.is(errors(daemon).length, 1, daemon.output())
      t.is((await daemon.stop()).code, 0)
    },
  )
}

for (const [what, spoil, ...named] of [
  ['is a directory', 'mkdir -p /run/flannel/subnet.env', 'EISDIR', 'it is a directory', '-subnet-file'],
  ['is in a file', 'rmdir /run/flannel && touch /run/flannel', 'ENOTDIR', 'not a directory', '-subnet-file'],
] as const) {
  test.serial(`subnet.env that ${what}: named, and the end`, async (t) => {
    const { host } = await world(t)
    await host.run(spoil)
    const daemon = await startFlanneld(host, ARGS)
    await complains(t, daemon, ['/run/flannel/subnet.env', ...named])
    t.is((await daemon.exit).code, 1)
  })
}

test.serial('a kernel without vxlan: named, with what to load; the module loaded, it starts', async (t) => {
  const { host, etcd } = await world(t)
  const daemon = await startFlanneld(host, `${ARGS} ${HEALTH}`, preloaded(t, 'no-vxlan'))
  await complains(t, daemon, ['flannel.1', 'this kernel has no vxlan', 'modprobe vxlan', 'waiting'])
  await becomes(host, 503, /config: .*no vxlan/)
  t.deepEqual(await etcd.leases(), [], 'no peer sends to a host that cannot receive')
  await t.throwsAsync(host.run('cat /run/flannel/subnet.env'))
  await host.run('touch /run/vxlan.ko')
  await waitForSubnetEnv(host, daemon)
  await becomes(host, 200, /^flanneld is ready$/)
  t.is(errors(daemon).length, 1, daemon.output())
})

const CAPABILITIES = '-all,+net_admin,+net_raw'
const LITTLE = `setpriv --no-new-privs --bounding-set=${CAPABILITIES} --inh-caps=${CAPABILITIES} --ambient-caps=${CAPABILITIES}`
/** iptables-legacy reads and locks files that are root's; these capabilities are enough for it, another uid is not. */
const USERS = { nft: 'nobody', legacy: 'root' } as const

for (const variant of ['nft', 'legacy'] as const) {
  const user = USERS[variant]
  test.serial(`as ${user} with CAP_NET_ADMIN and CAP_NET_RAW alone all works, with iptables-${variant}`, async (t) => {
    const { lan, etcd, host } = await world(t)
    const other = await lan.host(122)
    const secret = 'geheim-4711'
    await etcd.run(`etcdctl user add root:${secret} && etcdctl user grant-role root root && etcdctl auth enable`)
    const folder = '/run/flannel-little'
    const daemons = await Promise.all(
      [host, other].map(async (it) => {
        // As Docker leaves it, so that forwarding depends on our rules; iptables is the variant asked for.
        await it.run(`mkdir ${folder} && chown ${user} ${folder}
          for name in iptables ip6tables; do for part in '' -save -restore; do
            ln -s $(which $name-${variant}$part) /usr/local/bin/$name$part; done; done
          iptables -P FORWARD DROP`)
        const args = `${ARGS} -ip-masq -etcd-username=root -subnet-file=${folder}/subnet.env ${HEALTH}`
        const daemon = await startFlanneld(
          it,
          args,
          `${LITTLE} --reuid ${user} --regid nogroup --clear-groups env FLANNELD_ETCD_PASSWORD=${secret} ${BUNDLE}`,
        )
        return { daemon, env: await waitForSubnetEnv(it, daemon, `${folder}/subnet.env`) }
      }),
    )
    const [a, b] = await Promise.all(
      [host, other].map(async (it, i) => {
        await becomes(it, 200, /^flanneld is ready$/)
        const ruled = async (): Promise<boolean> => (await it.run('iptables -S')).includes('FLANNEL-FWD')
        await waitFor('rules', ruled).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${daemons[i]?.daemon.output() ?? ''}`)
        })
        return createContainer(it, daemons[i]?.env ?? {})
      }),
    )
    await a?.run(`ping -c 3 -i 0.2 -W 2 ${b?.address}`)
    t.regex(await host.run('nft list tables'), /flannel-guard-1/)
    t.regex(await host.run('iptables -t nat -S'), /FLANNEL-POSTRTG .*MASQUERADE/)
    t.is((await host.run('cat /proc/sys/net/ipv6/conf/flannel.1/accept_ra')).trim(), '0')
    await host.run('ip link del flannel.1')
    await waitFor('the device to be back', () => host.run('ip link show flannel.1'))
    await waitFor('ping', () => a?.run(`ping -c 1 -W 1 ${b?.address}`))
    for (const { daemon } of daemons) {
      t.deepEqual([errors(daemon), strays(daemon)], [[], []])
      t.false(daemon.output().includes(secret))
      t.is((await daemon.stop()).code, 0)
    }
  })
}

test.serial('iptables-legacy as another user than root: reported with what to do; the rest works', async (t) => {
  const { host } = await world(t)
  await host.run(`for part in '' -save -restore; do
    ln -s $(which iptables-legacy$part) /usr/local/bin/iptables$part; done; chown nobody /run/flannel`)
  const daemon = await startFlanneld(host, ARGS, `${LITTLE} --reuid nobody --regid nogroup --clear-groups ${BUNDLE}`)
  await waitForSubnetEnv(host, daemon)
  await complains(t, daemon, ['firewall', 'iptables', 'Permission denied', 'uid 0', 'iptables-nft'])
  t.is((await daemon.stop()).code, 0)
})

test.serial("two daemons with other prefix, VNI and subnet file don't disturb each other", async (t) => {
  const { lan, etcd, host } = await world(t)
  const other = await lan.host(122)
  const second = '/second/network'
  await etcd.run(`etcdctl put ${second}/config`, '{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan","VNI":2}}')
  const start = async (it: Host): Promise<readonly Running[]> => {
    const one = await startFlanneld(it, `${ARGS} ${HEALTH}`)
    const args = `${ARGS.replace(PREFIX, second)} -subnet-file=/run/second.env -healthz-ip=127.0.0.1 -healthz-port=9001`
    const two = await startFlanneld(it, args)
    await Promise.all([waitForSubnetEnv(it, one), waitForSubnetEnv(it, two, '/run/second.env')])
    return [one, two]
  }
  // The first network has a peer the second has not.
  const lone = await lan.host(123)
  const loner = await startFlanneld(lone, ARGS)
  await waitForSubnetEnv(lone, loner)
  const daemons = (await Promise.all([host, other].map(start))).flat()
  const state =
    'ip -d link show type vxlan; ip route; ip neigh show nud permanent; bridge fdb; iptables -S; nft list ruleset'
  await waitFor('all peers', async () => {
    const routes = await host.run('ip route')
    const count = (device: string): number => routes.split(`dev ${device} `).length - 1
    return count('flannel.1') === 2 && count('flannel.2') === 1
  })
  const devices = await host.run('ip -o addr show')
  t.regex(devices, /flannel\.1 +inet 10\.2\.\d+\.0\/32/)
  t.regex(devices, /flannel\.2 +inet 10\.3\.\d+\.0\/32/)
  for (const port of [9000, 9001])
    await waitFor('ready', async () => (await askHealthPort(host, '/readyz', port)).status === 200)
  const peers = async (path: string): Promise<string> =>
    ((await subnetEnv(other, path))['FLANNEL_SUBNET'] ?? '').replace(/1\/24$/, '0')
  for (const path of ['/run/flannel/subnet.env', '/run/second.env'])
    // The other host may learn of this one a moment later.
    await waitFor('an answer', async () => host.run(`ping -c 1 -W 2 ${await peers(path)}`))

  // Neither repairs, withdraws or restarts what the other has.
  // Packets are counted, and whom the guard dropped before it knew the peer is remembered for an hour.
  const look = async (): Promise<string> =>
    (await host.run(state))
      .replaceAll(/packets \d+ bytes \d+/g, '')
      .replaceAll(/\s*elements = \{[^}]*\bexpires\b[^}]*\}/g, '')
  const before = await look()
  t.is((await daemons[1]?.stop())?.code, 0)
  const again = await startFlanneld(
    host,
    `${ARGS.replace(PREFIX, second)} -subnet-file=/run/second.env -audit-interval=1`,
  )
  await again.line(/ready: /)
  await host.run(`ping -c 1 -W 2 ${await peers('/run/second.env')}`)
  t.is(await look(), before)
  for (const daemon of [...daemons, again]) t.deepEqual([errors(daemon), warnings(daemon)], [[], []], daemon.output())
})
