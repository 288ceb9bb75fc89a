// A host keeps the interface and address that peers know, whatever else appears: virtual IPs, default routes, interfaces
// with odd names.
import test from 'ava'
import { startFlanneld, waitForSubnetEnv, subnetEnv } from '../lab/actors/flanneld.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { PREFIX } from '../lab/world/network.ts'
import { addCard } from '../lab/world/card.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import type { Host } from '../lab/world/lab.ts'
import type { EtcdHost } from '../lab/world/etcd.ts'
import type { Running } from '../lab/world/process.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const ARGS = `-etcd-endpoints=http://192.168.19.120:2379 -etcd-prefix=${PREFIX} -audit-interval=600`

const owner = fileOwner()
let etcd: EtcdHost
let host: Host
let daemon: Running
/** "10.2.21.1/24", leased by the first start. */
let subnet: string

// Shared by the tests on one interface with several addresses.
test.before(async () => {
  ;({ etcd, host } = await createOneHost(owner))
  await host.run('sysctl -q -w net.ipv4.conf.all.promote_secondaries=1; ip route add default via 192.168.19.1')
  await addCard(host, 'wan0', ['10.9.0.1/24'])
  daemon = await startFlanneld(host, ARGS)
  subnet = (await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'] ?? ''
})

/** Whether the lease in etcd and the device both have this address, the device on this interface. */
const uses = (address: string, device: string) => async (): Promise<boolean> => {
  const lease = await etcd.etcdctl(`get --print-value-only ${PREFIX}/subnets/${subnet.replace('.1/24', '.0-24')}`)
  const { PublicIP: publicIp } = JSON.parse(lease) as { readonly PublicIP: string }
  const [, local, on] = /local (\S+) dev (\S+)/.exec(await host.run('ip -d link show flannel.1')) ?? []
  return publicIp === address && local === address && on === device
}

test.serial('a virtual IP and a second default route change nothing', async (t) => {
  await waitFor('the device', uses('192.168.19.121', 'enp0s3'))
  // As keepalived adds it; then DHCP removes and adds our own address, which puts it last.
  await host.run(`ip addr add 192.168.19.200/24 dev enp0s3; ip addr add 192.168.19.201/32 dev enp0s3
    ip route add default via 10.9.0.254 metric 0 || ip route replace default via 10.9.0.254
    ip route add default via 192.168.19.1 metric 200`)
  await host.run('ip addr del 192.168.19.121/24 dev enp0s3; ip addr add 192.168.19.121/24 dev enp0s3')
  // Makes the daemon read the host again, after all changes before: subnet.env follows the device's MTU.
  await host.run('ip link set enp0s3 mtu 1400')
  await waitFor('the MTU', async () => (await subnetEnv(host))['FLANNEL_MTU'] === '1350')
  t.true(await uses('192.168.19.121', 'enp0s3')())
  t.notRegex(daemon.output(), /interface \S+: now 192\.168\.19\.20/)
})

test.serial('a lost address is replaced by another after 5 s, and restored when it is back', async (t) => {
  await host.run('ip addr replace 192.168.19.200/24 dev enp0s3; ip addr del 192.168.19.121/24 dev enp0s3')
  await waitFor('another address', uses('192.168.19.200', 'enp0s3'))
  t.regex(daemon.output(), /W.*interface enp0s3: 192\.168\.19\.121 is gone: waiting 5 s for it, then taking/)
  await host.run('ip addr add 192.168.19.121/24 dev enp0s3')
  await waitFor('the first address again', uses('192.168.19.121', 'enp0s3'))
})

test.serial('a restart takes the address of the lease, though a virtual IP comes first', async (t) => {
  daemon.kill('SIGTERM')
  await daemon.exit
  // As after a boot: no subnet.env, no device, and the virtual IP and the other default route come first.
  await host.run(`rm /run/flannel/subnet.env; ip link del flannel.1; ip addr flush dev enp0s3
    ip addr add 192.168.19.200/24 dev enp0s3; ip addr add 192.168.19.121/24 dev enp0s3
    ip route replace default via 10.9.0.254`)
  daemon = await startFlanneld(host, ARGS)
  t.is((await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'], subnet)
  await waitFor('the leased address', uses('192.168.19.121', 'enp0s3'))
  t.is((await etcd.leases()).length, 1)
})

test('an interface with a container-like name is followed at once, and so is our address when it moves to such a bridge', async (t) => {
  const { host: odd } = await createOneHost(t)
  await odd.run(`ip link set enp0s3 down; ip link set enp0s3 name docker-lan; ip link set docker-lan up
    ip route add default via 192.168.19.1`)
  const running = await startFlanneld(odd, ARGS)
  await waitForSubnetEnv(odd, running)
  const follows = async (device: string, mtu: number): Promise<void> => {
    await odd.run(`ip link set ${device} mtu ${mtu}`)
    await waitFor(`${device} ${mtu}`, async () =>
      new RegExp(`mtu ${mtu - 50} .*local 192\\.168\\.19\\.121 dev ${device} `, 's').test(
        await odd.run('ip -d link show flannel.1'),
      ),
    )
  }
  // The next audit is ten minutes away: only a notification can have caused it.
  await follows('docker-lan', 1400)
  await odd.run(`ip link add br-mgmt type bridge; ip link set br-mgmt up; ip link set docker-lan master br-mgmt
    ip addr flush dev docker-lan; ip addr add 192.168.19.121/24 dev br-mgmt; ip route add default via 192.168.19.1`)
  await follows('br-mgmt', 1300)
  t.notRegex(running.output(), /is gone: waiting/)
})
