// A config this host cannot run, though its numbers are right: named before anything is touched, at a start and while running;
// what runs is kept, and once the obstacle is gone the config is applied.
import test, { type ExecutionContext } from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const bound = (port: number): string =>
  `${process.execPath} -e "require('dgram').createSocket('udp4').bind(${port}, () => console.log('bound'))"`

function configOf(backend: object): object {
  return { Network: '10.2.0.0/16', Backend: { Type: 'vxlan', ...backend } }
}

async function world(t: ExecutionContext, backend: object): Promise<{ etcd: EtcdHost; host: Host }> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure(configOf(backend))
  return { etcd, host }
}

function complains(daemon: Running, what: RegExp): Promise<string> {
  return waitFor(`${what}`, () => errors(daemon).find((line) => what.test(line))).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
}

test.serial('a port that a program uses: a start touches nothing and waits, then continues by itself', async (t) => {
  const { etcd, host } = await world(t, { Port: 9999 })
  // Of a run before, with another port: it works while the daemon waits.
  await host.run(`ip link add flannel.1 address 0a:00:00:00:00:01 type vxlan id 1 dev enp0s3 local 192.168.19.121 dstport 8472
    ip addr add 10.2.5.0/32 dev flannel.1; ip link set flannel.1 up`)
  const before = await host.run('ip -4 -d addr show flannel.1')
  const program = await host.spawn(bound(9999))
  await program.line(/bound/)
  const daemon = await startFlanneld(host, ARGS)
  await complains(
    daemon,
    /Backend\.Port: 9999: in use by another program \(ss -ulpn sport = :9999 shows which\): .*; waiting/,
  )
  t.is(await host.run('ip -4 -d addr show flannel.1'), before)
  t.deepEqual(await etcd.leases(), [])
  await program.stop('SIGKILL')
  await waitForSubnetEnv(host, daemon)
  t.regex(await host.run('ip -d link show flannel.1'), /dstport 9999 /)
})

test.serial(
  'what the kernel would refuse is refused while running, each by its name; the running config is kept',
  async (t) => {
    const { etcd, host } = await world(t, {})
    const program = await host.spawn(bound(9999))
    await program.line(/bound/)
    await host.run(`ip link add vx0 type vxlan id 7 dev enp0s3 dstport 8472; ip link add vx1 type vxlan id 8 dstport 9998 gbp
    ip link add flannel.6 type bridge; ip link add br0 type bridge; ip link add flannel.4 type vxlan id 4 dstport 7777; ip link set flannel.4 master br0
    ip link set vx0 up; ip link set vx1 up`)
    const daemon = await startFlanneld(host, ARGS)
    await daemon.line(/ ready: /)
    const state = (): Promise<string> =>
      host.run('ip -4 -d addr show flannel.1; ip route; nft list tables; cat /run/flannel/subnet.env')
    const [before, leases] = [await state(), await etcd.leases()]
    for (const [backend, says] of [
      [{ Port: 9999 }, /Backend\.Port: 9999: in use by another program/],
      [{ VNI: 7 }, /Backend\.Port: 8472: vx0 has VNI 7 on it/],
      [{ Port: 9998 }, /Backend\.Port: 9998: vx1 uses it in another way \(GBP\)/],
      [{ GBP: true }, /Backend\.Port: 8472: vx0 uses it in another way/],
      [{ VNI: 6 }, /flannel\.6: it is a device of kind bridge: left alone/],
      [{ VNI: 4 }, /flannel\.4: it is a port of br0: left alone/],
      [{ VNI: 10_000_000 }, /Backend\.VNI: 10000000: must be an integer from 1 to 9999999/],
      [{ MTU: 67 }, /Backend\.MTU: 67: must be an integer from 118/],
    ] as const) {
      await etcd.configure(configOf(backend))
      t.regex(await complains(daemon, says), /keeping the running config$/)
      t.is(await state(), before)
    }
    t.deepEqual(await etcd.leases(), leases)
    // Nothing of it stays: the next good one is taken.
    await etcd.configure(configOf({ Port: 8473 }))
    await waitFor('the other port', async () => / dstport 8473 /.test(await host.run('ip -d link show flannel.1')))
    t.regex(await host.run('ip -o addr show flannel.1'), /inet 10\.2\.\d+\.0\/32/)
    // One that this host alone was not ready for is applied when it is ready, although it is not written again.
    const said = errors(daemon).length
    await etcd.configure(configOf({ Port: 9999 }))
    await waitFor('the refusal', () => errors(daemon).length > said)
    t.regex(await host.run(`${BUNDLE} status || true`), /network config refused/)
    await program.stop('SIGKILL')
    await waitFor('the port', async () => / dstport 9999 /.test(await host.run('ip -d link show flannel.1')))
    await waitFor('no refusal', async () => !/refused/.test(await host.run(`${BUNDLE} status || true`)))
  },
)
