// What the daemon sends to a service manager, on a real datagram socket: READY=1 when the host is ready, WATCHDOG=1 while
// the event loop runs.
import test, { type ExecutionContext } from 'ava'
import { BUNDLE, startFlanneld } from '../lab/actors/flanneld.ts'
import { askHealthPort } from '../lab/instruments/health-port.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { type NotifySocket, listenForNotifications } from '../lab/actors/service-manager.ts'
import type { Running } from '../lab/world/process.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const PING_MS = 100

interface World {
  readonly etcd: EtcdHost
  readonly host: Host
  readonly socket: NotifySocket
  readonly daemon: Running
}

/** A host whose daemon waits for a config, and one peer. */
async function world(t: ExecutionContext, name: string): Promise<World> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await putLeases(etcd, [{ name: '10.2.201.0-24', value: vxlanValue('192.168.19.201', '0a:00:00:00:00:c9') }])
  const check = 'test -s /run/flannel/subnet.env && ip route | grep -q "^10.2.201.0/24 "'
  const socket = await listenForNotifications(host, name, check)
  const environment = `env NOTIFY_SOCKET=${name} WATCHDOG_USEC=${2 * PING_MS * 1000}`
  const args = `${ARGS} -healthz-ip=127.0.0.1 -healthz-port=9000`
  const daemon = await startFlanneld(host, args, `${environment} ${BUNDLE}`)
  return { etcd, host, socket, daemon }
}

const count = ({ socket }: World, text: string): number => socket.received().filter((it) => it.text === text).length

for (const name of ['/run/notify.sock', '@flanneld-test-notify']) {
  test(`READY=1 once subnet.env is written and peers are programmed, not before: ${name}`, async (t) => {
    const it = await world(t, name)
    await it.daemon.line(/no network config/)
    const early = await askHealthPort(it.host, '/readyz')
    t.is(early.status, 503)
    t.regex(
      early.text,
      /^flanneld is not ready yet\n[^]*lease: not yet\nbackend: not yet\nsubnet\.env: not yet\npeers: not yet/,
    )
    t.is((await askHealthPort(it.host, '/healthz')).status, 200)
    // A daemon that waits is alive.
    await waitFor('pings', () => count(it, 'WATCHDOG=1') > 2)
    t.is(count(it, 'READY=1 STATUS=healthy'), 0)
    await it.etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.199.0', Backend: { Type: 'vxlan' } })
    await waitFor('READY=1', () => count(it, 'READY=1 STATUS=healthy') === 1)
    t.true(it.socket.received().find(({ text }) => text.startsWith('READY=1'))?.held)
    t.is((await askHealthPort(it.host, '/readyz')).text, 'flanneld is ready')
    t.is((await it.daemon.stop()).code, 0)
    await waitFor('STOPPING=1', () => count(it, 'STOPPING=1') === 1)
  })
}

test('while the event loop is blocked /healthz does not answer and no watchdog ping is sent; both return when it runs again', async (t) => {
  const it = await world(t, '/run/notify.sock')
  await it.etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.199.0', Backend: { Type: 'vxlan' } })
  await it.daemon.line(/ready: /)
  t.is((await askHealthPort(it.host, '/healthz')).status, 200)
  await waitFor('pings', () => count(it, 'WATCHDOG=1') > 2)
  it.daemon.kill('SIGSTOP')
  // The first request gives datagrams under way 4 s to arrive; in the 12 s of the second, 120 pings would be due.
  await t.throwsAsync(askHealthPort(it.host, '/healthz', 9000, 4))
  const before = count(it, 'WATCHDOG=1')
  await t.throwsAsync(askHealthPort(it.host, '/healthz', 9000, 12))
  t.is(count(it, 'WATCHDOG=1'), before)
  it.daemon.kill('SIGCONT')
  await waitFor('pings', () => count(it, 'WATCHDOG=1') > before + 2)
  t.is((await askHealthPort(it.host, '/healthz')).status, 200)
  t.is((await it.daemon.stop()).code, 0)
})
