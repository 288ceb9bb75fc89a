// Two hosts in a network of both families: one lease with two subnets, a device a family, and containers that reach each other
// by either.
import test from 'ava'
import { createContainer } from '../lab/world/container.ts'
import { startEtcd } from '../lab/world/etcd.ts'
import { createLab, type Host } from '../lab/world/lab.ts'
import { ARGS } from '../lab/world/network.ts'
import { startFlanneld, waitForSubnetEnv } from '../lab/actors/flanneld.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const CONFIG = {
  Network: '10.2.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:10:2::/48',
  Backend: { Type: 'vxlan' },
}

test('two hosts lease a subnet of each family under one key, and their containers reach each other in both', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan, { config: CONFIG })
  const join = async (last: number) => {
    const host = await lan.host(last)
    // One past its preferred time, as after a change of the prefix: it is not what a host is to be known by.
    await host.run(`ip addr add fd00:19::${last}:1/64 dev enp0s3 nodad preferred_lft 0`)
    const daemon = await startFlanneld(host, ARGS)
    const env = await waitForSubnetEnv(host, daemon)
    return { host, daemon, env, container: await createContainer(host, env) }
  }
  const [a, b] = await Promise.all([join(121), join(122)])

  t.is(a.env['FLANNEL_NETWORK'], '10.2.0.0/16')
  t.is(a.env['FLANNEL_IPV6_NETWORK'], 'fd00:10:2::/48')
  t.is(a.env['FLANNEL_MTU'], '1430', 'the smaller of the two: IPv6 adds 70 bytes')
  const keys = await etcd.leases()
  const subnet6 = a.env['FLANNEL_IPV6_SUBNET']?.replace('1/64', '-64')
  t.true(keys.includes(`${a.env['FLANNEL_SUBNET']?.replace('.1/24', '.0-24')}&${subnet6}`), keys.join())

  const reached = async (from: typeof a, address: string): Promise<unknown> =>
    waitFor(`${from.host.name} to ${address}`, async () =>
      (await from.container.run(`ping -c 1 -W 1 ${address} || true`)).includes(' 0% packet loss'),
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${a.daemon.output()}\n${b.daemon.output()}`)
    })
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    await reached(from, to.container.address)
    await reached(from, to.container.address6)
  }
  const shown = await show(a.host)
  t.regex(shown, /flannel-v6\.1: .* mtu 1430/)
  t.regex(shown, /vxlan id 1 local fd00:19::79 dev enp0s3 .*dstport 8472 nolearning/)
  t.notRegex(shown, /fe80.*flannel|inet6 fe80/, 'no address of its own accord')
  t.regex(shown, /fd00:10:2:\w+::\/64 via fd00:10:2:\w+:: dev flannel-v6\.1 .*onlink/)
  t.regex(shown, /dst fd00:19::7a self permanent/)
})

function show(host: Host): Promise<string> {
  return host.run(`ip -d link show flannel-v6.1; ip addr show flannel-v6.1; ip -6 route show; ip -6 neigh show nud permanent
    bridge fdb show dev flannel-v6.1`)
}

test('a host without an IPv6 address waits with a line that says what to do, touches nothing, and goes on when it has one', async (t) => {
  const lan = await (await createLab(t)).lan()
  await startEtcd(lan, { config: CONFIG })
  const host = await lan.host(121)
  await host.run('ip -6 addr del fd00:19::79/64 dev enp0s3')
  const daemon = await startFlanneld(host, ARGS)
  const line = await daemon.line(/EnableIPv6: true, but /)
  t.regex(
    line,
    /interface "enp0s3" has no IPv6 address other hosts could reach.*give this host an IPv6 address.*waiting$/,
  )
  t.false((await host.run('ip link; ls /run/flannel')).includes('flannel.1'))
  await host.run('ip addr add fd00:19::79/64 dev enp0s3 nodad')
  const env = await waitForSubnetEnv(host, daemon)
  t.true('FLANNEL_IPV6_SUBNET' in env)
  t.is(daemon.output().split('EnableIPv6: true, but').length, 2, 'said once')
})

test('IPv6 switched on where a host has no address of it: refused by that host, which goes on, and follows when it has one', async (t) => {
  const lan = await (await createLab(t)).lan()
  const { EnableIPv6: _, ...plain } = CONFIG
  const etcd = await startEtcd(lan, { config: plain })
  const host = await lan.host(121)
  await host.run('ip -6 addr del fd00:19::79/64 dev enp0s3')
  const daemon = await startFlanneld(host, ARGS)
  const before = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready: /)
  await etcd.configure(CONFIG)
  await daemon.line(/EnableIPv6: true, but interface "enp0s3" has no IPv6 address/)
  t.deepEqual(await waitForSubnetEnv(host, daemon), before)
  await host.run('ip addr add fd00:19::79/64 dev enp0s3 nodad')
  await waitFor('IPv6 in subnet.env', async () => 'FLANNEL_IPV6_SUBNET' in (await waitForSubnetEnv(host, daemon)))
  const after = await waitForSubnetEnv(host, daemon)
  t.is(after['FLANNEL_SUBNET'], before['FLANNEL_SUBNET'])
})

test("a host's IPv6 address changes while it runs: its device, its lease and its peers follow; IPv4 is as before", async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan, { config: CONFIG })
  const [a, b] = await Promise.all([lan.host(121), lan.host(122)])
  const daemons = await Promise.all([startFlanneld(a, ARGS), startFlanneld(b, ARGS)])
  await Promise.all([waitForSubnetEnv(a, daemons[0]), waitForSubnetEnv(b, daemons[1])])
  await daemons[0].line(/ready: /)
  const four = await a.run('ip -d link show flannel.1 | head -3; ip route')
  await a.run('ip addr add fd00:19::99/64 dev enp0s3 nodad; ip addr del fd00:19::79/64 dev enp0s3')
  await waitFor('the device', async () => (await a.run('ip -d link show flannel-v6.1')).includes('local fd00:19::99'))
  await waitFor('its peer', async () => (await b.run('bridge fdb show dev flannel-v6.1')).includes('dst fd00:19::99 '))
  t.regex(await etcd.etcdctl(`get --prefix /docker-test/network/subnets/`), /"PublicIPv6":"fd00:19::99"/)
  t.is(await a.run('ip -d link show flannel.1 | head -3; ip route'), four)
})

test('hosts of one family beside hosts of both: each sees the other in what they share', async (t) => {
  const lan = await (await createLab(t)).lan()
  const etcd = await startEtcd(lan, { config: CONFIG })
  const value = (n: number, v6: boolean): string =>
    JSON.stringify({
      PublicIP: `192.168.19.${n}`,
      PublicIPv6: v6 ? `fd00:19::${n}` : null,
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: `0a:00:00:00:04:${n}` },
      BackendV6Data: v6 ? { VNI: 1, VtepMAC: `0a:00:00:00:06:${n}` } : undefined,
    })
  await etcd.etcdctl(`put /docker-test/network/subnets/10.2.30.0-24`, value(30, false))
  await etcd.etcdctl(`put '/docker-test/network/subnets/10.2.31.0-24&fd00:10:2:31::-64'`, value(31, true))
  await etcd.etcdctl(`put '/docker-test/network/subnets/fd00:10:2:32::-64'`, value(32, true))
  const host = await lan.host(121)
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ready: /)
  const shown = await host.run('ip route; ip -6 route; bridge fdb show dev flannel.1; bridge fdb show dev flannel-v6.1')
  for (const part of [
    /10\.2\.30\.0\/24 via/,
    /10\.2\.31\.0\/24 via/,
    /:31::\/64 via/,
    /:32::\/64 via/,
    /:06:31 dst fd00:19::31 /,
  ])
    t.regex(shown, part)
  t.notRegex(daemon.output(), /refused/)
  await daemon.line(/4 peers at revision/)
})
