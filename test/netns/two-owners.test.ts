// Two owners of one device: another flannel next to ours, a second daemon of ours, a program that keeps undoing our changes.
// No foreign network is taken over, every fight is reported; what an earlier run left is reused.
import test, { type ExecutionContext } from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { putLeases, vxlanValue } from '../lab/actors/raw-leases.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

const CONFIG = { Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } }
const SECOND = `${ARGS.replace(PREFIX, '/second/network')} -subnet-file=/run/second.env`

async function world(t: ExecutionContext): Promise<{ etcd: EtcdHost; host: Host }> {
  const lan = await (await createLab(t)).lan()
  const [etcd, host] = await Promise.all([startEtcd(lan), lan.host(121)])
  await etcd.configure(CONFIG)
  return { etcd, host }
}

/** The daemon's first error line that says this. */
function complains(daemon: Running, what: RegExp): Promise<string> {
  return waitFor(`${what}`, () => errors(daemon).find((line) => what.test(line))).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${daemon.output()}`)
  })
}

const K3S = `set -e
  ip link add flannel.1 address 6a:00:00:00:00:42 mtu 1450 type vxlan id 1 dev enp0s3 local 192.168.19.121 dstport 8472 nolearning
  ip addr add 10.42.0.0/32 dev flannel.1
  ip link set flannel.1 up
  ip neigh add 10.42.1.0 lladdr 6a:00:00:00:00:43 nud permanent dev flannel.1
  bridge fdb add 6a:00:00:00:00:43 dev flannel.1 dst 192.168.19.130 self permanent
  ip route add 10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink
  printf 'FLANNEL_NETWORK=10.42.0.0/16\\nFLANNEL_SUBNET=10.42.0.1/24\\nFLANNEL_MTU=1450\\nFLANNEL_IPMASQ=true\\n' >/run/flannel/subnet.env`

test.serial(
  "another flannel's device is left unchanged: the daemon waits, and takes another VNI from a new config",
  async (t) => {
    const { etcd, host } = await world(t)
    await host.run(K3S)
    // The kernel takes a second or two to make sure of an IPv6 address.
    const state = (): Promise<string> =>
      host.run(
        'ip -d link show flannel.1; ip -o addr show flannel.1 | sed "s/ tentative//"; ip neigh show dev flannel.1; bridge fdb show dev flannel.1; ip route show dev flannel.1',
      )
    const before = await state()
    const daemon = await startFlanneld(host, ARGS)
    const line = await complains(daemon, /flannel\.1/)
    t.regex(
      line,
      /flannel\.1: it carries 10\.42\.0\.0 and 1 more, not of 10\.2\.0\.0\/16: left alone: set another Backend\.VNI/,
    )
    t.deepEqual(await etcd.leases(), [], 'no peer learns to send to it')
    await etcd.configure({ ...CONFIG, Backend: { Type: 'vxlan', VNI: 2 } })
    await daemon.line(/ ready: /)
    t.regex(await host.run('ip -o addr show flannel.2'), /inet 10\.2\.\d+\.0\/32/)
    // While it runs, too.
    await etcd.configure(CONFIG)
    await complains(daemon, /flannel\.1: it carries 10\.42\.0\.0 .*keeping the running config/)
    t.regex(await host.run('ip -o addr show flannel.2'), /inet 10\.2\.\d+\.0\/32/)
    t.is(await state(), before)
  },
)

test.serial('a second daemon with our VNI, or our network, names the first and waits until it ends', async (t) => {
  const { etcd, host } = await world(t)
  await etcd.etcdctl(`put /second/network/config '{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan"}}'`)
  const first = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, first)
  await first.line(/ ready: /)
  const second = await startFlanneld(host, SECOND)
  t.regex(
    await complains(second, /another flanneld/),
    /^flannel\.1: another flanneld \(process \d+\) of this network namespace has it: stop that one/,
  )
  await etcd.etcdctl(`put /second/network/config '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":9}}'`)
  await complains(second, /^network 10\.2\.0\.0\/16: another flanneld \(process \d+\)/)
  await etcd.etcdctl(`put /second/network/config '{"Network":"10.2.0.0/16","Backend":{"Type":"host-gw"}}'`)
  t.notRegex(first.output(), /repaired/)
  const refused = await runVerb(host, 'cleanup')
  t.is(refused.code, 1)
  t.regex(refused.output, /10\.2\.0\.0\/16: flanneld runs in it \(process \d+\): stop that first/)
  t.regex(await host.run('ip -o addr show flannel.1'), /inet 10\.2\.\d+\.0\/32/)
  t.is((await first.stop()).code, 0)
  await second.line(/ ready: /)
})

test.serial('a user who takes the name of our lock holds up no daemon', async (t) => {
  const { host } = await world(t)
  const taken = await host.spawn(
    `setpriv --reuid nobody --regid nogroup --clear-groups ${process.execPath} -e "
      require('net').createServer().listen({ path: '\\0flanneld vxlan 1' }, () => console.log('taken'))"`,
  )
  await taken.line(/taken/)
  const daemon = await startFlanneld(host, ARGS, BUNDLE)
  await daemon.line(/ ready: /)
  t.regex(
    daemon.output(),
    /lock vxlan 1: held by process \d+ of user 65534, which is no flanneld of ours: continuing without it/,
  )
})

test.serial('what an earlier run left in another network is gone on with', async (t) => {
  const { etcd, host } = await world(t)
  const first = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, first)
  await first.line(/ ready: /)
  const mac = await host.run('cat /proc/net/dev >/dev/null; ip -o link show flannel.1 | grep -o "link/ether [^ ]*"')
  await first.stop()
  await etcd.configure({ ...CONFIG, Network: '10.7.0.0/16' })
  const second = await startFlanneld(host, ARGS)
  await second.line(/ ready: /)
  t.deepEqual(errors(second), [])
  const addresses = await host.run('ip -o addr show flannel.1; ip -o link show flannel.1')
  t.regex(addresses, /inet 10\.7\.\d+\.0\/32/)
  t.notRegex(addresses, /inet 10\.2\./)
  t.true(addresses.includes(mac.trim()))
})

test.serial('a program that keeps deleting our route is a standing fault that names the route', async (t) => {
  const { etcd, host } = await world(t)
  await putLeases(etcd, [{ name: '10.2.200.0-24', value: vxlanValue('192.168.19.200', '0a:00:00:00:00:c8') }])
  const daemon = await startFlanneld(host, ARGS)
  await daemon.line(/ ready: /)
  await host.spawn(`sh -c 'while :; do ip route del 10.2.200.0/24 2>/dev/null; sleep 0.05; done'`)
  const fight = /10\.2\.200\.0\/24: changed by another program as often as it is repaired/
  await complains(daemon, fight)
  await waitFor('status to say so', async () => {
    const { stdout } = await runVerb(host, 'status -json')
    const { verdict } = JSON.parse(stdout) as { verdict?: { state?: string } }
    return fight.test(stdout) && JSON.stringify(verdict).includes('degraded')
  })
  t.regex((await runVerb(host, 'events')).stdout, fight)
  t.is(errors(daemon).filter((line) => fight.test(line)).length, 1, 'said once')
})
