// A host keeps the interface and the address that peers know it by, whatever else turns up: virtual IPs, default routes,
// interfaces with odd names.
import test from 'ava'
import { startFlanneld, waitForSubnetEnv, subnetEnv } from '../lab/actors/flanneld.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { PREFIX } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

const ARGS = `-etcd-endpoints=http://192.168.19.120:2379 -etcd-prefix=${PREFIX} -audit-interval=600`

test('a virtual IP and a second default route move nothing; a lost address is left, and gone back to; a restart goes by the lease', async (t) => {
  const { etcd, host } = await createOneHost(t)
  await host.run(`sysctl -q -w net.ipv4.conf.all.promote_secondaries=1; ip route add default via 192.168.19.1
    ip link add wan0 type veth peer name wan1; ip link set wan1 up; ip link set wan0 up; ip addr add 10.9.0.1/24 dev wan0`)
  let daemon = await startFlanneld(host, ARGS)
  const subnet = (await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET']
  const key = `${PREFIX}/subnets/${subnet?.replace('.1/24', '.0-24')}`
  const publicIp = async (): Promise<string> =>
    (JSON.parse(await etcd.etcdctl(`get --print-value-only ${key}`)) as { readonly PublicIP: string }).PublicIP
  const local = async (): Promise<string> =>
    /local (\S+) dev (\S+)/
      .exec(await host.run('ip -d link show flannel.1'))
      ?.slice(1)
      .join(' ') ?? ''
  const at = (address: string, device: string) => async (): Promise<boolean> =>
    (await publicIp()) === address && (await local()) === `${address} ${device}`
  /** Has the daemon look at the host after all that was done before: the device's MTU follows. */
  const looked = async (mtu: number): Promise<void> => {
    await host.run(`ip link set enp0s3 mtu ${mtu}`)
    await waitFor('the MTU', async () => (await subnetEnv(host))['FLANNEL_MTU'] === String(mtu - 50))
  }

  await waitFor('the device', at('192.168.19.121', 'enp0s3'))
  // As keepalived adds it; then an address lease is taken anew, which puts our own after it.
  await host.run(`ip addr add 192.168.19.200/24 dev enp0s3; ip addr add 192.168.19.201/32 dev enp0s3
    ip route add default via 10.9.0.254 metric 0 || ip route replace default via 10.9.0.254
    ip route add default via 192.168.19.1 metric 200`)
  await host.run('ip addr del 192.168.19.121/24 dev enp0s3; ip addr add 192.168.19.121/24 dev enp0s3')
  await looked(1400)
  t.true(await at('192.168.19.121', 'enp0s3')())
  t.notRegex(daemon.output(), /interface \S+: now 192\.168\.19\.20/)

  await host.run('ip addr del 192.168.19.121/24 dev enp0s3')
  await waitFor('another address', at('192.168.19.200', 'enp0s3'))
  t.regex(daemon.output(), /W.*interface enp0s3: 192\.168\.19\.121 is gone: waiting 5 s for it, then taking/)
  await host.run('ip addr add 192.168.19.121/24 dev enp0s3')
  await waitFor('home', at('192.168.19.121', 'enp0s3'))

  // As after a boot: no subnet.env, no device, and the virtual IP and the other default route are there first.
  daemon.kill('SIGTERM')
  await daemon.exit
  await host.run(`rm /run/flannel/subnet.env; ip link del flannel.1; ip addr flush dev enp0s3
    ip addr add 192.168.19.200/24 dev enp0s3; ip addr add 192.168.19.121/24 dev enp0s3`)
  daemon = await startFlanneld(host, ARGS)
  t.is((await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'], subnet)
  await waitFor('the same place', at('192.168.19.121', 'enp0s3'))
  t.is((await etcd.leases()).length, 1)
})

test("an interface called as containers' are is followed at once, and so is our address when it moves to such a bridge", async (t) => {
  const { host } = await createOneHost(t)
  await host.run(`ip link set enp0s3 down; ip link set enp0s3 name docker-lan; ip link set docker-lan up
    ip route add default via 192.168.19.1`)
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  const follows = async (device: string, mtu: number): Promise<void> => {
    await host.run(`ip link set ${device} mtu ${mtu}`)
    await waitFor(`${device} ${mtu}`, async () =>
      new RegExp(`mtu ${mtu - 50} .*local 192\\.168\\.19\\.121 dev ${device} `, 's').test(
        await host.run('ip -d link show flannel.1'),
      ),
    )
  }
  // No audit comes in ten minutes: what is followed was told.
  await follows('docker-lan', 1400)
  await host.run(`ip link add br-mgmt type bridge; ip link set br-mgmt up; ip link set docker-lan master br-mgmt
    ip addr flush dev docker-lan; ip addr add 192.168.19.121/24 dev br-mgmt; ip route add default via 192.168.19.1`)
  await follows('br-mgmt', 1300)
  t.notRegex(daemon.output(), /is gone: waiting/)
})
