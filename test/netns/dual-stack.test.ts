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
