// /readyz while the daemon runs: not ready, with the reason, as long as something is not right; ready again by itself.
// Forwarding is unchanged meanwhile.
import test, { type ExecutionContext } from 'ava'
import { createLog } from '../../src/log.ts'
import { HANG_MS, healthRoutes, serveHealth } from '../../src/http/health-port.ts'
import { waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { deleteLeases, keyOf, putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { freePort } from '../lab/world/free-port.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const FILE = '/run/f/subnet.env'

interface World {
  readonly etcd: EtcdHost
  readonly host: Host
  readonly daemon: Running
}

/** A ready daemon with one peer, subnet.env on a small file system of its own, and the only subnet there is. */
async function world(t: ExecutionContext): Promise<World> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  const range = { SubnetMin: '10.2.5.0', SubnetMax: '10.2.5.0' }
  await etcd.configure({ Network: '10.2.0.0/16', ...range, Backend: { Type: 'vxlan' } })
  await putLeases(etcd, [{ name: '10.2.201.0-24', value: vxlanValue('192.168.19.201', '0a:00:00:00:00:c9') }])
  await host.run('mkdir /run/f && mount -t tmpfs -o size=8k none /run/f')
  const args = `${ARGS} -subnet-file=${FILE} -healthz-ip=127.0.0.1 -healthz-port=9000 -audit-interval=1`
  const daemon = await startFlanneld(host, args)
  await waitForSubnetEnv(host, daemon, FILE)
  await becomes(host, 200, /^flanneld is ready$/)
  return { etcd, host, daemon }
}

async function becomes(host: Host, status: number, text: RegExp): Promise<void> {
  await waitFor(`/readyz ${status} ${text}`, async () => {
    const answer = await askHealthPort(host, '/readyz')
    if (answer.status === status && answer.text.split('\n').some((line) => text.test(line))) return true
    throw new Error(`${answer.status} ${answer.text}`)
  })
}

const forwards = (host: Host): Promise<string> => host.run('ip route show 10.2.201.0/24')

test('the lease lost to another host, and no other subnet: not ready, forwarding stays; freed, ready again', async (t) => {
  const { etcd, host, daemon } = await world(t)
  const way = await forwards(host)
  await putLeases(etcd, [
    {
      name: '10.2.5.0-24',
      value: vxlanValue('192.168.19.205', '0a:00:00:00:00:cd', { HostID: 'f'.repeat(32) }),
    },
  ])
  await becomes(host, 503, /^lease: /)
  t.is(await forwards(host), way)
  await daemon.line(/no longer ready: lease: /)
  await daemon.line(/no free subnet/)
  await deleteLeases(etcd, ['10.2.5.0-24'])
  await becomes(host, 200, /^flanneld is ready$/)
  t.regex(await etcd.etcdctl(`get ${keyOf('10.2.5.0-24')}`), /192\.168\.19\.121/)
  t.is(await forwards(host), way)
  t.is((await daemon.stop()).code, 0)
})

test('a change the kernel refuses: not ready, with what is refused; ready once it is possible', async (t) => {
  const { host, daemon } = await world(t)
  const way = await forwards(host)
  // Another process makes a device of our name first: it is not ours to touch.
  daemon.kill('SIGSTOP')
  await host.run('ip link del flannel.1 && ip link add flannel.1 type bridge')
  daemon.kill('SIGCONT')
  await becomes(host, 503, /^(kernel|backend): /m)
  t.regex(await host.run('ip -d link show flannel.1'), /bridge/)
  await host.run('ip link del flannel.1')
  await becomes(host, 200, /^flanneld is ready$/)
  t.is(await forwards(host), way)
  t.is((await daemon.stop()).code, 0)
})

for (const [what, spoil, repair, reason] of [
  ['a full disk', 'head -c 4k /dev/zero >/run/f/full', 'rm /run/f/full', /^subnet\.env: .*ENOSPC.*no space left/],
  ['a read-only /run', 'mount -o remount,ro /run/f', 'mount -o remount,rw /run/f', /^subnet\.env: .*EROFS.*read-only/],
] as const) {
  test(`${what} while it runs: not ready once subnet.env should change, the old one complete; written when there is room`, async (t) => {
    const { host, daemon } = await world(t)
    const before = await host.run(`cat ${FILE}`)
    const way = await forwards(host)
    await host.run(spoil)
    await host.run('ip link set enp0s3 mtu 1400')
    await becomes(host, 503, reason)
    t.is(await host.run(`cat ${FILE}`), before)
    t.regex(await host.run('ip link show flannel.1'), /mtu 1350/)
    t.is(await forwards(host), way)
    await host.run(repair)
    await becomes(host, 200, /^flanneld is ready$/)
    t.is((await subnetEnv(host, FILE))['FLANNEL_MTU'], '1350')
    t.is(daemon.output().split('cannot be written').length - 1, 2, 'once as an error, once as the reason')
    const left = (await host.run('ls -A /run/f')).split('\n').filter((name) => name.includes('subnet.env'))
    t.deepEqual(left, ['subnet.env'], 'no temporary file')
    t.is((await daemon.stop()).code, 0)
  })
}

test('a pass that hangs: /healthz says so', async (t) => {
  const stop = new AbortController()
  t.teardown(() => {
    stop.abort()
  })
  const log = createLog('health', 0, () => undefined)
  const port = await freePort()
  let busy = 0
  await serveHealth(
    { ip: '127.0.0.1', port },
    healthRoutes(
      () => ({ ready: true, lines: [] }),
      () => busy,
    ),
    log,
    stop.signal,
  )
  const ask = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/healthz`)
  t.is((await ask()).status, 200)
  busy = HANG_MS + 1000
  const answer = await ask()
  t.is(answer.status, 503)
  t.is(await answer.text(), 'the reconciler has been in one pass for 31 s\n')
})

test('subnet.env deleted or changed by others is back with the next audit', async (t) => {
  const { host, daemon } = await world(t)
  const before = await host.run(`cat ${FILE}`)
  for (const damage of [`rm ${FILE}`, `echo FLANNEL_MTU=9000 >${FILE}`]) {
    await host.run(damage)
    await waitFor('the file', async () => (await host.run(`cat ${FILE}`)) === before)
  }
  // Units of old tutorials let mk-docker-opts.sh write its options over subnet.env, for dockerd to read both from there.
  await host.run(`echo 'DOCKER_OPTS=" --mtu=1450"' >${FILE}`)
  await waitFor('both', async () => (await host.run(`cat ${FILE}`)) === `${before}DOCKER_OPTS=" --mtu=1450"\n`)
  await host.run('ip link set enp0s3 mtu 1400')
  await waitFor('the new MTU', async () => (await subnetEnv(host, FILE))['FLANNEL_MTU'] === '1350')
  t.regex(await host.run(`cat ${FILE}`), /IPMASQ=\w+\nDOCKER_OPTS=" --mtu=1450"\n$/)
  t.true((await host.run(`etcdctl --endpoints=http://192.168.19.120:2379 get ${PREFIX}/config`)).length > 0)
  t.is((await daemon.stop()).code, 0)
})
